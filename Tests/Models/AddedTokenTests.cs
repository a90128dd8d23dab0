using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Tokens that were added to a SentencePiece model, wherever a folder lists them, and where a space is put.</summary>
public class AddedTokenTests
{
    private const string Prefix = "tokenizer.ggml.";
    private const string Space = "\u2581";

    [Fact]
    public void Decoder_InsideTheModel_GivesKindAndSpelling()
    {
        using CheckpointFolder folder = With();
        folder.Write("tokenizer_config.json", """
            {"added_tokens_decoder": {"0": {"content": "<unk>", "special": true}, "3": {"content": "<0x21>", "special": true}, "1": {"content": "<s>", "special": false},
              "7": {"content": "[INST]", "special": true}, "8": {"content": "<|im_end|>", "special": false}, "9": {"content": "\u2581\u2581", "special": false}}}
            """);
        folder.Convert(name: "x");
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal(["<unk>", "<s>", "</s>", "<0x21>", Space, "a", Space + "a", "[INST]", "<|im_end|>", "  ", "[PAD10]"], file.Metadata.TryGetStrings(Prefix + "tokens")!.Take(11));
        Assert.Equal([2, 3, 3, 6, 1, 1, 1, 3, 3, 4, 5], file.Metadata.TryGetInt32s(Prefix + "token_type")!.Take(11));
        Assert.Equal([0, 0, 0, 0, -2, -3, -1, -1000, -1000, -1000, -10000], file.Metadata.TryGetFloats(Prefix + "scores")!.Take(11));
        ITokenizer tokenizer = Tokenizer.Create(file.Metadata);
        Assert.Equal([7, 6, 8], tokenizer.Encode("[INST]a<|im_end|>", parseSpecial: true));
        Assert.Equal([6, 9, 6], tokenizer.Encode("a  a", parseSpecial: true));
        Assert.Equal("  "u8, tokenizer.Decode(9, renderSpecial: false));
        Assert.Equal(File.ReadAllBytes(folder.Output), ThereAndBack(folder));
    }

    [Theory]
    [InlineData("added_tokens.json", """{"<|im_end|>": 10, "<tool>": 11}""", 4)]
    [InlineData("tokenizer.json", """{"added_tokens": [{"id": 10, "content": "<|im_end|>", "special": false}, {"id": 11, "content": "<tool>", "special": true}], "model": {"type": "BPE", "byte_fallback": true}}""", 3)]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"10": {"content": "<|im_end|>", "special": true}, "11": {"content": "<tool>"}}}""", 4)]
    [InlineData("special_tokens_map.json", """{"eos_token": {"content": "<|im_end|>"}, "additional_special_tokens": ["<tool>"]}""", 3)]   // without ids: the next ones, as transformers does
    public void Token_BesideTheModel_IsFoundWhereverItIsListed(string name, string text, int toolKind)
    {
        using CheckpointFolder folder = With();
        folder.Write(name, text);
        folder.Convert(name: "x");
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal(["<|im_end|>", "<tool>", "[PAD12]"], file.Metadata.TryGetStrings(Prefix + "tokens")!.Skip(10).Take(3));
        Assert.Equal([3, toolKind, 5], file.Metadata.TryGetInt32s(Prefix + "token_type")!.Skip(10).Take(3));
        Assert.Equal([6, 10, 11], Tokenizer.Create(file.Metadata).Encode("a<|im_end|><tool>", parseSpecial: true));
        Assert.Equal(File.ReadAllBytes(folder.Output), ThereAndBack(folder));
    }

    [Fact]
    public void Token_WithoutARow_IsLeftOutWithANote()
    {
        using CheckpointFolder folder = With();
        folder.Write("added_tokens.json", """{"<pad>": 512}""");
        Assert.Contains(folder.Convert().Notes, note => note.Contains("'<pad>' as 512", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("added_tokens.json", """{"<pad>": -1}""")]
    [InlineData("added_tokens.json", """{"<pad>": "x"}""")]
    [InlineData("added_tokens.json", "[]")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"-1": {"content": "x"}}}""")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"1": "x"}}""")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"1": {"content": 1}}}""")]
    [InlineData("special_tokens_map.json", """{"additional_special_tokens": "x"}""")]
    [InlineData("special_tokens_map.json", """{"eos_token": 1}""")]
    public void List_Damaged_IsRefused(string name, string text)
    {
        using CheckpointFolder folder = With();
        folder.Write(name, text);
        Assert.Contains(name, Assert.Throws<FormatException>(() => folder.Convert()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Name_OfAWord_LeavesItAWord()
    {
        using CheckpointFolder folder = With();
        folder.Write("tokenizer_config.json", """{"pad_token": "a", "additional_special_tokens": ["<piece7>"]}""");
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal([1, 1, 3], ((int[])[5, 6, 7]).Select(id => file.Metadata.TryGetInt32s(Prefix + "token_type")![id]));
    }

    [Theory]
    [InlineData("{}", null, "6", "2,6", "4,6")]
    [InlineData("""{"add_prefix_space": false}""", null, "5", "2,5", "6")]
    [InlineData("""{"legacy": false}""", null, "6", "2,5", "6")]
    [InlineData("""{"legacy": true}""", null, "6", "2,6", "4,6")]
    [InlineData("""{"legacy": false, "add_prefix_space": true}""", null, "6", "2,5", "6")]
    [InlineData("""{"legacy": false, "add_prefix_space": false}""", null, "5", "2,5", "6")]
    [InlineData("""{"legacy": null, "add_prefix_space": null}""", """{"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "first", "split": false}, "model": {"byte_fallback": true}}""", "6", "2,5", "6")]
    [InlineData("{}", """{"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}, "model": {"byte_fallback": true}}""", "5", "2,5", "6")]
    public void Space_BeforeAText_IsPutAsTheSettingsSay(string settings, string? tokenizer, string begins, string follows, string spaced)
    {
        using CheckpointFolder folder = With();
        folder.Write("tokenizer_config.json", settings);
        if (tokenizer is not null) folder.Write("tokenizer.json", tokenizer);
        folder.Convert(name: "x");
        using GgufFile file = GgufFile.Open(folder.Output);
        ITokenizer made = Tokenizer.Create(file.Metadata);
        Assert.Equal((begins, follows, spaced), (Ids("a"), Ids("</s>a"), Ids(" a")));
        Assert.Equal([5], made.Encode("a", parseSpecial: true, TextPlace.Within));
        Assert.Equal(File.ReadAllBytes(folder.Output), ThereAndBack(folder));

        string Ids(string text) => string.Join(',', made.Encode(text, parseSpecial: true));
    }

    private static byte[] ThereAndBack(CheckpointFolder folder)
    {
        using var temporary = new TemporaryFolder();
        ModelExporter.Export(folder.Output, temporary["hf"], new ExportOptions());
        ModelConverter.Convert(temporary["hf"], temporary["again.gguf"], new ConversionOptions { Target = QuantTarget.ByName("F32")!, Name = "x" });
        return File.ReadAllBytes(temporary["again.gguf"]);
    }

    private static CheckpointFolder With()
    {
        var model = new SentencePieceModel { Normalizer = "identity" };
        foreach ((string, float, int) piece in ((string, float, int)[])[("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<0x21>", 0, 6), (Space, -2, 1), ("a", -3, 1), (Space + "a", -1, 1),
            ("<piece7>", -4, 1), ("<piece8>", -5, 1), ("<piece9>", -6, 1)])
            model.Pieces.Add(piece);
        var folder = new CheckpointFolder("mamba_nobias");
        foreach (string key in (string[])["eos_token_id", "bos_token_id", "pad_token_id"]) folder.Set(key, null);
        File.Delete(folder.PathOf("generation_config.json"));
        File.WriteAllBytes(folder.PathOf("tokenizer.model"), model.ToBytes());
        return folder;
    }
}
