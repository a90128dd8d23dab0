using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Tokenizers that are vocab.json and merges.txt.</summary>
public class SlowVocabularyTests
{
    private const string Prefix = "tokenizer.ggml.";
    private const string Settings = """{"tokenizer_class": "GPT2Tokenizer"}""";

    [Theory]
    [InlineData("GPT2Tokenizer", "gpt-2", false)]
    [InlineData("GPT2TokenizerFast", "gpt-2", false)]
    [InlineData("Qwen2Tokenizer", "qwen2", false)]
    [InlineData(null, "gpt-2", true)]
    public void Files_OfAKnownClass_GiveAWholeTokenizer(string? name, string pre, bool isGuess)
    {
        using CheckpointFolder folder = With(name is null ? null : $$"""{"tokenizer_class": "{{name}}"}""");
        folder.Write("added_tokens.json", """{"<|im_end|>": 6, "<tool>": 7}""");
        folder.Write("special_tokens_map.json", """{"eos_token": {"content": "<|im_end|>", "rstrip": true}, "bos_token": "<|endoftext|>"}""");
        ConversionReport report = folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        GgufMetadata keys = file.Metadata;
        Assert.Equal(("gpt2", pre), (keys.GetString(Prefix + "model"), keys.GetString(Prefix + "pre")));
        Assert.Equal(["<|endoftext|>", "a", "b", "c", "ab", "abc", "<|im_end|>", "<tool>", "[PAD8]"], keys.TryGetStrings(Prefix + "tokens")!.Take(9));
        Assert.Equal([3, 1, 1, 1, 1, 1, 3, 4, 5], keys.TryGetInt32s(Prefix + "token_type")!.Take(9));
        Assert.Equal((0, 6), (keys.GetInt32(Prefix + "bos_token_id"), keys.GetInt32(Prefix + "eos_token_id")));
        Assert.Equal([5, 7, 6, 0], Tokenizer.Create(keys).Encode("abc<tool><|im_end|><|endoftext|>", parseSpecial: true));
        Assert.Equal(isGuess, report.Notes.Any(note => note.Contains("GPT-2's way", StringComparison.Ordinal)));
    }

    [Fact]
    public void Files_OfAnUnknownKind_AreRefusedByName()
    {
        Refuses<NotSupportedException>("'CLIPTokenizer'", """{"tokenizer_class": "CLIPTokenizer"}""", _ => { });
        Refuses<NotSupportedException>("add_prefix_space", """{"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true}""", _ => { });
        Refuses<FormatException>("no merges.txt", Settings, folder => File.Delete(folder.PathOf("merges.txt")));
        Refuses<FormatException>("no vocab.json", Settings, folder => File.Delete(folder.PathOf("vocab.json")));
        Refuses<FormatException>("'a b c'", Settings, folder => folder.Write("merges.txt", "a b c"));
        Refuses<FormatException>("'a'", Settings, folder => folder.Write("merges.txt", "a"));
        Refuses<FormatException>("UTF-8", Settings, folder => File.WriteAllBytes(folder.PathOf("merges.txt"), [0x61, 0x20, 0xff]));
        Refuses<FormatException>("the id \"x\"", Settings, folder => folder.Write("vocab.json", """{"a": "x"}"""));
    }

    private static void Refuses<T>(string named, string settings, Action<CheckpointFolder> change) where T : Exception
    {
        using CheckpointFolder folder = With(settings);
        change(folder);
        Assert.Contains(named, Assert.Throws<T>(() => folder.Convert()).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.Output));
    }

    private static CheckpointFolder With(string? settings)
    {
        var folder = new CheckpointFolder("mamba_nobias");
        foreach (string key in (string[])["eos_token_id", "bos_token_id", "pad_token_id"]) folder.Set(key, null);
        File.Delete(folder.PathOf("generation_config.json"));
        folder.Write("vocab.json", """{"<|endoftext|>": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "abc": 5}""");
        folder.Write("merges.txt", "#version: 0.2\r\na b\r\nab c\r\n");
        if (settings is not null) folder.Write("tokenizer_config.json", settings);
        return folder;
    }
}
