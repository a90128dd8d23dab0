using System.Text.Json.Nodes;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>How tokenizer.json and the files beside it become metadata.</summary>
public class TokenizerImportTests
{
    private const string Prefix = "tokenizer.ggml.";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Tokenizer_ByteLevel_IsWrittenWithKindsAndMerges(bool pairs)
    {
        using CheckpointFolder folder = WithTokenizer(tokenizer =>
        {
            if (pairs) tokenizer["model"]!["merges"] = new JsonArray(new JsonArray("a", "b"), new JsonArray("ab", "c"));
        });
        ConversionReport report = folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        GgufMetadata keys = file.Metadata;
        Assert.Equal(("gpt2", "gpt-2"), (keys.GetString(Prefix + "model"), keys.GetString(Prefix + "pre")));
        string[] tokens = keys.TryGetStrings(Prefix + "tokens")!;
        Assert.Equal(["<|a|>", "<|b|>", "a", "b", "c", "ab", "abc", "<tool>", "[PAD8]"], tokens.Take(9));
        Assert.Equal(512, tokens.Length);
        Assert.Equal([3, 3, 1, 1, 1, 1, 1, 4, 5], keys.TryGetInt32s(Prefix + "token_type")!.Take(9));
        Assert.Equal(["a b", "ab c"], keys.TryGetStrings(Prefix + "merges")!);
        Assert.Contains(report.Notes, note => note.Contains("504 rows", StringComparison.Ordinal));
        Assert.Equal([6, 7, 1], Tokenizer.Create(keys).Encode("abc<tool><|b|>", parseSpecial: true));
    }

    [Fact]
    public void Tokenizer_Settings_BecomeStopsTemplateAndSampling()
    {
        using CheckpointFolder folder = WithTokenizer(_ => { });
        folder.Set("eos_token_id", 0);
        folder.Set("bos_token_id", 0);
        folder.Write("generation_config.json", """{"eos_token_id": [1, 0], "do_sample": true, "temperature": 0.5, "top_p": 0.75, "top_k": 20}""");
        folder.Write("tokenizer_config.json", """{"add_bos_token": true, "eos_token": {"content": "<|b|>"}, "chat_template": [{"name": "rag", "template": "no"}, {"name": "default", "template": "{{ x }}"}]}""");
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        GgufMetadata keys = file.Metadata;
        Assert.Equal((0, 1), (keys.GetInt32(Prefix + "eos_token_id"), keys.GetInt32(Prefix + "eot_token_id")));
        Assert.False(keys.Contains(Prefix + "eom_token_id"));
        Assert.True(keys.TryGetBool(Prefix + "add_bos_token"));
        Assert.Equal("{{ x }}", keys.GetString("tokenizer.chat_template"));
        Assert.Equal((0.5f, 0.75f, 20), (keys.GetFloat("general.sampling.temp"), keys.GetFloat("general.sampling.top_p"), keys.GetInt32("general.sampling.top_k")));
        folder.Write("chat_template.jinja", "of its own");
        folder.Convert();
        using GgufFile other = GgufFile.Open(folder.Output);
        Assert.Equal("of its own", other.Metadata.GetString("tokenizer.chat_template"));
    }

    [Fact]
    public void Tokenizer_OtherKinds_AreRefusedByName()
    {
        Refuses<NotSupportedException>("'Unigram'", t => t["model"]!["type"] = "Unigram");
        Refuses<NotSupportedException>("byte_fallback", t => t["model"]!["byte_fallback"] = true);
        Refuses<NotSupportedException>("'Metaspace'", t => t["pre_tokenizer"]!["type"] = "Metaspace");
        Refuses<NotSupportedException>("'ByteLevel(add_prefix_space)'", t => t["pre_tokenizer"]!["add_prefix_space"] = true);
        Refuses<NotSupportedException>("'ByteLevel(no regex)'", t => t["pre_tokenizer"]!["use_regex"] = false);
        Refuses<NotSupportedException>("'none'", t => t["pre_tokenizer"] = null);
        Refuses<NotSupportedException>("'Lowercase'", t => t["normalizer"] = new JsonObject { ["type"] = "Lowercase" });
        Refuses<NotSupportedException>("'NFC Lowercase'", t => t["normalizer"] = JsonNode.Parse("""{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}"""));
    }

    [Fact]
    public void Tokenizer_WithoutAKind_IsWhatItsPartsSay()
    {
        using CheckpointFolder folder = WithTokenizer(t => t["model"]!.AsObject().Remove("type"));
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal([6, 7, 1], Tokenizer.Create(file.Metadata).Encode("abc<tool><|b|>", parseSpecial: true));
        Refuses<NotSupportedException>("'unknown'", t =>
        {
            t["model"]!.AsObject().Remove("type");
            t["model"]!.AsObject().Remove("merges");
        });
    }

    [Fact]
    public void Tokenizer_TokensThatLookSpecial_AreControlTokens()
    {
        using CheckpointFolder folder = WithTokenizer(t => t["added_tokens"]![2]!["content"] = "<|tool|>");
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal([3, 3, 1, 1, 1, 1, 1, 3, 5], file.Metadata.TryGetInt32s(Prefix + "token_type")!.Take(9));
    }

    [Fact]
    public void Tokenizer_Stripping_IsHonouredThereAndBack()
    {
        using CheckpointFolder folder = WithTokenizer(t =>
        {
            t["added_tokens"]![0]!["lstrip"] = true;
            t["added_tokens"]![1]!["rstrip"] = true;
            t["added_tokens"]![2]!["single_word"] = true;
        });
        ConversionReport report = folder.Convert(name: "x");
        Assert.Contains(report.Notes, note => note.Contains("single_word", StringComparison.Ordinal));
        using (GgufFile file = GgufFile.Open(folder.Output))
            Assert.Equal([2, 0, 2, 1, 3, 7], Tokenizer.Create(file.Metadata).Encode("a \n<|a|>a<|b|> \tb<tool> <tool>", parseSpecial: true));
        using var temporary = new TemporaryFolder();
        ModelExporter.Export(folder.Output, temporary["hf"], new ExportOptions());
        ModelConverter.Convert(temporary["hf"], temporary["again.gguf"], new ConversionOptions { Target = QuantTarget.ByName("F32")!, Name = "x" });
        Assert.Equal(File.ReadAllBytes(folder.Output), File.ReadAllBytes(temporary["again.gguf"]));
    }

    [Fact]
    public void Tokenizer_Sequences_AreRecognized()
    {
        foreach ((string steps, string name) in ((string, string)[])
        [
            ("""[{"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]""", "dbrx"),
            ("""[{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]""", "refact"),
            ("""[{"type": "Punctuation", "behavior": "Contiguous"}, {"type": "ByteLevel", "add_prefix_space": false}, {"type": "Digits", "individual_digits": false}, {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": false}]""", "falcon"),
        ])
        {
            using CheckpointFolder folder = WithTokenizer(t => t["pre_tokenizer"] = new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = JsonNode.Parse(steps) });
            folder.Convert();
            using GgufFile file = GgufFile.Open(folder.Output);
            Assert.Equal(name, file.Metadata.GetString(Prefix + "pre"));
        }
    }

    [Fact]
    public void Tokenizer_Damaged_IsRefused()
    {
        Refuses<FormatException>("512 rows", t => t["model"]!["vocab"]!["z"] = 512);
        Refuses<FormatException>("stands for", t => t["model"]!["vocab"]!["z"] = 2);
        Refuses<FormatException>("id -1", t => t["model"]!["vocab"]!["z"] = -1);
        Refuses<FormatException>("vocab", t => t["model"]!["vocab"] = null);
        Refuses<FormatException>("merges", t => t["model"]!["merges"] = "a b");
        Refuses<FormatException>("merges", t => t["model"]!["merges"] = new JsonArray(new JsonArray("a")));
        Refuses<NotSupportedException>("space", t => t["model"]!["merges"] = new JsonArray(new JsonArray("a b", "c")));
        Refuses<FormatException>("added_tokens", t => t["added_tokens"] = new JsonArray(1));
        Refuses<FormatException>("model", t => t.Remove("model"));
    }

    [Fact]
    public void Tokenizer_SentencePiece_IsWrittenWithScoresAndItsOwnSpecialTokens()
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        folder.Set("eos_token_id", 0);   // as Mamba-Codestral's, though 0 is <unk>
        folder.Set("bos_token_id", 0);
        File.WriteAllBytes(folder.PathOf("tokenizer.model"), Pieces().ToBytes());
        folder.Write("tokenizer_config.json", """{"added_tokens_decoder": {"0": {"content": "<unk>", "special": true}, "7": {"content": "<tool>", "special": false}}}""");
        ConversionReport report = folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        GgufMetadata keys = file.Metadata;
        Assert.Equal(("llama", 1, 2, 0), (keys.GetString(Prefix + "model"), keys.GetInt32(Prefix + "bos_token_id"), keys.GetInt32(Prefix + "eos_token_id"), keys.GetInt32(Prefix + "unknown_token_id")));
        Assert.Equal(["<unk>", "<s>", "</s>", "<0x21>", "\u2581", "a", "\u2581a", "<tool>", "[PAD8]"], keys.TryGetStrings(Prefix + "tokens")!.Take(9));
        Assert.Equal([2, 3, 3, 6, 1, 1, 1, 4, 5], keys.TryGetInt32s(Prefix + "token_type")!.Take(9));
        Assert.Equal([0, 0, 0, 0, -2, -3, -1, -1000, -10000], keys.TryGetFloats(Prefix + "scores")!.Take(9));
        Assert.Equal((true, false), (keys.TryGetBool(Prefix + "add_bos_token"), keys.TryGetBool(Prefix + "add_space_prefix")));
        Assert.Contains(report.Notes, note => note.Contains("nmt_nfkc", StringComparison.Ordinal));
        Assert.Equal([6, 5, 3, 7], Tokenizer.Create(keys).Encode(" aa!<tool>", parseSpecial: true));
    }

    [Fact]
    public void Tokenizer_SentencePieceDamaged_IsRefusedWhereverItIsCutOrChanged()
    {
        byte[] good = Pieces().ToBytes();
        for (int length = 0; length < good.Length; length++) ReadOrRefuse(good[..length]);
        for (int i = 0; i < good.Length * 8; i++)
        {
            byte[] changed = [.. good];
            changed[i / 8] ^= (byte)(1 << (i % 8));
            ReadOrRefuse(changed);
        }
        Assert.Contains("unigram", Assert.Throws<NotSupportedException>(() => SentencePieceModel.Parse("t", [10, 3, 10, 1, 65])).Message, StringComparison.Ordinal);
        Assert.Contains("no tokens", Assert.Throws<FormatException>(() => SentencePieceModel.Parse("t", [])).Message, StringComparison.Ordinal);
        Assert.Contains("wire type 3", Assert.Throws<FormatException>(() => SentencePieceModel.Parse("t", [0x2b])).Message, StringComparison.Ordinal);
        Assert.Contains("claims 4294967295 bytes", Assert.Throws<FormatException>(() => SentencePieceModel.Parse("t", [10, 255, 255, 255, 255, 15])).Message, StringComparison.Ordinal);

        static void ReadOrRefuse(byte[] bytes)
        {
            Exception? e = Record.Exception(() => SentencePieceModel.Parse("t", bytes));
            Assert.True(e is null or FormatException or NotSupportedException, $"{e}");
        }
    }

    [Fact]
    public void Tokenizer_FromAnotherFolderOrFile_IsTaken()
    {
        using CheckpointFolder source = WithTokenizer(_ => { });
        source.Write("tokenizer_config.json", """{"bos_token": "<|a|>", "eos_token": "<|b|>", "chat_template": "{{ x }}"}""");
        source.Convert();
        foreach (string from in (string[])[source.PathOf("."), source.Output])
        {
            using var folder = new CheckpointFolder("mamba_nobias");
            foreach (string key in (string[])["eos_token_id", "bos_token_id", "pad_token_id"]) folder.Set(key, null);
            File.Delete(folder.PathOf("generation_config.json"));
            ConversionReport report = ModelConverter.Convert(folder.PathOf("."), folder.Output, new ConversionOptions { Tokenizer = from });
            using GgufFile file = GgufFile.Open(folder.Output);
            Assert.Equal("{{ x }}", file.Metadata.GetString("tokenizer.chat_template"));
            Assert.Contains(1, (int[])[file.Metadata.GetInt32(Prefix + "eos_token_id"), file.Metadata.TryGetInt32(Prefix + "eot_token_id") ?? -1, file.Metadata.TryGetInt32(Prefix + "eom_token_id") ?? -1]);
            Assert.Equal([6, 7, 1], Tokenizer.Create(file.Metadata).Encode("abc<tool><|b|>", parseSpecial: true));
            Assert.DoesNotContain(report.Notes, note => note.Contains("no vocabulary", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Tokenizer_FromWhereThereIsNone_IsRefused()
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        folder.Convert();
        File.Copy(folder.Output, folder.PathOf("none.gguf"));
        Assert.Contains("no folder or file", Refused<FileNotFoundException>("there-is-none").Message, StringComparison.Ordinal);
        Assert.Contains("no tokenizer.json", Refused<FileNotFoundException>(folder.PathOf(".")).Message, StringComparison.Ordinal);
        Assert.Contains("no vocabulary", Refused<FormatException>(folder.PathOf("none.gguf")).Message, StringComparison.Ordinal);
        Assert.Contains("not a GGUF", Refused<FormatException>(folder.PathOf("config.json")).Message, StringComparison.Ordinal);

        T Refused<T>(string from) where T : Exception =>
            Assert.Throws<T>(() => ModelConverter.Convert(folder.PathOf("."), folder.Output, new ConversionOptions { Tokenizer = from }));
    }

    [Fact]
    public void Tokenizer_WithMoreTokensThanRows_IsRefusedUnlessTheyAreUnused()
    {
        var metadata = new GgufMetadata("t");
        metadata.Set(Prefix + "tokens", (string[])["a", "b", "c"]);
        metadata.Set(Prefix + "token_type", (int[])[1, 1, 5]);
        TokenTable.Fit(metadata, "t", 2);
        Assert.Equal(["a", "b"], metadata.TryGetStrings(Prefix + "tokens")!);
        TokenTable.Fit(metadata, "t", 4);
        Assert.Equal(["a", "b", "[PAD2]", "[PAD3]"], metadata.TryGetStrings(Prefix + "tokens")!);
        Assert.Equal([1, 1, 5, 5], metadata.TryGetInt32s(Prefix + "token_type")!);
        Assert.Contains("1 rows", Assert.Throws<FormatException>(() => TokenTable.Fit(metadata, "t", 1)).Message, StringComparison.Ordinal);
    }

    /// <summary>A model with an unknown, a byte and a merge, which normalizes text.</summary>
    private static SentencePieceModel Pieces()
    {
        var model = new SentencePieceModel { AddsSpacePrefix = false, Normalizer = "nmt_nfkc" };
        foreach ((string, float, int) piece in ((string, float, int)[])[("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<0x21>", 0, 6), ("\u2581", -2, 1), ("a", -3, 1), ("\u2581a", -1, 1)])
            model.Pieces.Add(piece);
        return model;
    }

    private static void Refuses<T>(string named, Action<JsonObject> change) where T : Exception
    {
        using CheckpointFolder folder = WithTokenizer(change);
        Assert.Contains(named, Assert.Throws<T>(() => folder.Convert()).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.Output));
    }

    private static CheckpointFolder WithTokenizer(Action<JsonObject> change)
    {
        JsonObject tokenizer = JsonNode.Parse("""
            {
              "added_tokens": [
                {"id": 0, "content": "<|a|>", "special": true}, {"id": 1, "content": "<|b|>", "special": true}, {"id": 7, "content": "<tool>", "special": false}
              ],
              "normalizer": null,
              "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
              "model": {"type": "BPE", "vocab": {"<|a|>": 0, "a": 2, "b": 3, "c": 4, "ab": 5, "abc": 6}, "merges": ["a b", "ab c"]}
            }
            """)!.AsObject();
        change(tokenizer);
        var folder = new CheckpointFolder("mamba_nobias");
        folder.Write("tokenizer.json", tokenizer.ToJsonString());
        return folder;
    }
}
