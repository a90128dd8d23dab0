using System.Globalization;
using System.Text.Json.Nodes;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>tokenizer.json of SentencePiece's kind (byte_fallback) without a tokenizer.model.</summary>
public class SentencePieceJsonTests
{
    private const string Prefix = "tokenizer.ggml.";
    private const string Space = "\u2581";
    private const string Prepend = """{"type": "Prepend", "prepend": "\u2581"}""";
    private const string Replace = """{"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}""";
    private const string GemmaSplit = """{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false}""";

    private static readonly string[] Texts = ["abc", " abc", "  aaaa", "[INST]abc", "[INST] abc</s>a", "a <m> \u00a0b", "a<m>a", "word", "aword word", "a é\n", "abcabc aa"];

    /// <summary>Ids that huggingface/tokenizers 0.21 gives for <see cref="Texts"/>.</summary>
    [Theory]
    [InlineData($$"""{"type": "Sequence", "normalizers": [{{Prepend}}, {{Replace}}]}""", "null", "266,268 | 271,263,268 | 271,266,273 | 3,266,268 | 3,271,263,268,2,266 | 266,4,262,264 | 266,4,266 | 5 | 266,125,117,120,106,262,5 | 266,262,201,175,16 | 266,268,263,268,266,263")]
    [InlineData(Replace, GemmaSplit, "263,268 | 266,268 | 271,272,272 | 3,263,268 | 3,266,268,2,263 | 263,4,264 | 263,4,263 | 5 | 263,125,117,120,106,262,5 | 263,262,201,175,16 | 263,268,263,268,266,263")]
    [InlineData("null", """{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": false}""", "266,268 | 266,268 | 271,272,272 | 3,263,268 | 3,266,268,2,263 | 266,4,264 | 266,4,263 | 5 | 266,125,117,120,106,262,5 | 266,262,201,175,16 | 266,268,263,268,266,263")]
    [InlineData("null", """{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": false}""", "266,268 | 266,268 | 271,272,272 | 3,266,268 | 3,266,268,2,266 | 266,4,262,264 | 266,4,266 | 5 | 266,125,117,120,106,262,5 | 266,262,201,175,16 | 266,268,263,268,266,263")]
    [InlineData("null", """{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": false}""", "263,268 | 266,268 | 271,272,272 | 3,263,268 | 3,266,268,2,263 | 263,4,264 | 263,4,263 | 5 | 263,125,117,120,106,262,5 | 263,262,201,175,16 | 263,268,263,268,266,263")]
    [InlineData("null", """{"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": true}""", "266,268 | 266,268 | 262,266,273 | 3,266,268 | 3,266,268,2,266 | 266,4,262,264 | 266,4,266 | 5 | 266,125,117,120,106,262,5 | 266,262,201,175,16 | 266,268,263,268,266,263")]
    public void Text_WithEveryKindOfSpaces_IsTokenizedAsPublished(string normalizer, string pre, string expected)
    {
        using CheckpointFolder folder = With(t =>
        {
            t["normalizer"] = JsonNode.Parse(normalizer);
            t["pre_tokenizer"] = JsonNode.Parse(pre);
        });
        folder.Convert(name: "x");
        using (GgufFile file = GgufFile.Open(folder.Output))
            Assert.Equal(expected, string.Join(" | ", Texts.Select(text => string.Join(',', Tokenizer.Create(file.Metadata).Encode(text, parseSpecial: true)))));
        Assert.Equal(File.ReadAllBytes(folder.Output), ThereAndBack(folder));
    }

    [Fact]
    public void Vocabulary_WithoutAModel_HasKindsAndScoresByOrderOfMerging()
    {
        using CheckpointFolder folder = With(_ => { });
        ConversionReport report = folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        GgufMetadata keys = file.Metadata;
        Assert.Equal(("llama", 1, 2, 0), (keys.GetString(Prefix + "model"), keys.GetInt32(Prefix + "bos_token_id"), keys.GetInt32(Prefix + "eos_token_id"), keys.GetInt32(Prefix + "unknown_token_id")));
        Assert.Equal([2, 3, 3, 3, 3, 4, 6], keys.TryGetInt32s(Prefix + "token_type")!.Take(7));
        float[] scores = keys.TryGetFloats(Prefix + "scores")!;
        string[] tokens = keys.TryGetStrings(Prefix + "tokens")!;
        Assert.Equal([Space + Space, "bc", Space + "a", "ab", Space + "ab", "aa", "aaa", "abc"], Enumerable.Range(262, 12).Where(i => scores[i] > -8).OrderByDescending(i => scores[i]).Select(i => tokens[i]));
        Assert.Contains(report.Notes, note => note.Contains("lstrip", StringComparison.Ordinal));
        Assert.Contains(report.Notes, note => note.Contains("goes by scores", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"add_prefix_space": false}""", "263,268", "3,263,268")]
    [InlineData("""{"add_prefix_space": true, "legacy": false}""", "266,268", "3,263,268")]
    [InlineData("""{"legacy": false}""", "266,268", "3,266,268")]   // transformers takes tokenizer.json as it stands
    public void Settings_AboutSpaces_PrecedeTheFile(string settings, string begins, string follows)
    {
        using CheckpointFolder folder = With(_ => { });
        folder.Write("tokenizer_config.json", settings);
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        ITokenizer tokenizer = Tokenizer.Create(file.Metadata);
        Assert.Equal((begins, follows), (string.Join(',', tokenizer.Encode("abc", true)), string.Join(',', tokenizer.Encode("[INST]abc", true))));
    }

    [Fact]
    public void Steps_ThatGgufCannotExpress_AreRefusedByName()
    {
        Refuses("'Lowercase'", t => t["normalizer"] = JsonNode.Parse("""{"type": "Lowercase"}"""));
        Refuses("'Digits'", t => t["pre_tokenizer"] = JsonNode.Parse("""{"type": "Digits", "individual_digits": true}"""));
        Refuses("'Metaspace'", t => t["pre_tokenizer"] = JsonNode.Parse("""{"type": "Metaspace", "replacement": "_"}"""));
        Refuses("'Metaspace(last)'", t => t["pre_tokenizer"] = JsonNode.Parse("""{"type": "Metaspace", "prepend_scheme": "last"}"""));
        Refuses("U+2581", t => t["normalizer"] = null);
        Refuses("ignore_merges", t => t["model"]!["ignore_merges"] = true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(" a")]
    [InlineData("a ")]
    public void Merge_ThatIsNoPair_IsRefused(string merge)
    {
        using CheckpointFolder folder = With(t => t["model"]!["merges"] = new JsonArray(merge));
        Assert.Contains("merges", Assert.Throws<FormatException>(() => folder.Convert()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Model_BesideATokenizerJsonThatItCannotSay_GivesWay()
    {
        using CheckpointFolder folder = With(t =>
        {
            t["normalizer"] = null;
            t["pre_tokenizer"] = JsonNode.Parse("""{"type": "Metaspace", "prepend_scheme": "always", "split": false}""");
        });
        var model = new SentencePieceModel();
        model.Pieces.Add(("<unk>", 0, TokenTable.Unknown));
        File.WriteAllBytes(folder.PathOf("tokenizer.model"), model.ToBytes());
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal("always", file.Metadata.GetString(Prefix + "prepend_scheme"));
    }

    private static byte[] ThereAndBack(CheckpointFolder folder)
    {
        using var temporary = new TemporaryFolder();
        ModelExporter.Export(folder.Output, temporary["hf"], new ExportOptions());
        ModelConverter.Convert(temporary["hf"], temporary["again.gguf"], new ConversionOptions { Target = QuantTarget.ByName("F32")!, Name = "x" });
        return File.ReadAllBytes(temporary["again.gguf"]);
    }

    private static void Refuses(string named, Action<JsonObject> change)
    {
        using CheckpointFolder folder = With(change);
        Assert.Contains(named, Assert.Throws<NotSupportedException>(() => folder.Convert()).Message, StringComparison.Ordinal);
    }

    private static CheckpointFolder With(Action<JsonObject> change)
    {
        string[] tokens = ["<unk>", "<s>", "</s>", "[INST]", "<m>", "word", .. Enumerable.Range(0, 256).Select(value => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>")),
            Space, "a", "b", "c", Space + "a", "ab", "bc", Space + "ab", "abc", Space + Space, "aa", "aaa"];
        var vocabulary = new JsonObject();
        for (int id = 0; id < tokens.Length; id++) vocabulary[tokens[id]] = id;
        JsonObject tokenizer = JsonNode.Parse($$"""
            {
              "added_tokens": [
                {"id": 0, "content": "<unk>", "special": true}, {"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true}, {"id": 3, "content": "[INST]", "special": true},
                {"id": 4, "content": "<m>", "special": true, "lstrip": true, "rstrip": true}, {"id": 5, "content": "word", "special": false, "single_word": true}
              ],
              "normalizer": {"type": "Sequence", "normalizers": [{{Prepend}}, {{Replace}}]},
              "pre_tokenizer": null,
              "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                "merges": ["\u2581 \u2581", "b c", "\u2581 a", "a b", "\u2581a b", "a a", "aa a", "ab c"]}
            }
            """)!.AsObject();
        tokenizer["model"]!["vocab"] = vocabulary;
        change(tokenizer);
        var folder = new CheckpointFolder("mamba_nobias");
        folder.Set("eos_token_id", null);
        folder.Set("bos_token_id", null);
        folder.Set("pad_token_id", null);
        File.Delete(folder.PathOf("generation_config.json"));
        folder.Write("tokenizer.json", tokenizer.ToJsonString());
        folder.Write("tokenizer_config.json", """{"bos_token": "<s>", "eos_token": "</s>"}""");
        return folder;
    }
}
