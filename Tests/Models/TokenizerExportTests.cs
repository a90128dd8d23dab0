using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Vocabularies written as hub files and read again.</summary>
public class TokenizerExportTests
{
    private const string Prefix = "tokenizer.ggml.";

    [Theory]
    [InlineData("gpt-2", 0)]
    [InlineData("mpt", 0)]
    [InlineData("falcon", 0)]
    [InlineData("refact", 0)]
    [InlineData("mpt", 100)]
    public void BytePair_ThereAndBack_CutsAndMergesAsBefore(string name, int padding)
    {
        GgufMetadata before = VocabularyFile.Load(name);
        using var folder = new TemporaryFolder();
        List<string> notes = [];
        TokenizerExport.Write(folder["."], before, notes);
        Assert.Empty(notes);
        HubConfig file = HubConfig.Read(folder["tokenizer.json"]);
        string[] tokens = before.TryGetStrings(Prefix + "tokens")!;
        int[] kinds = before.TryGetInt32s(Prefix + "token_type")!;
        var vocabulary = new VocabularyImport(file, tokens.Length + padding, AddedTokens.Of(file), notes);
        var after = new GgufMetadata(name);
        after.Set(Prefix + "model", "gpt2");
        after.Set(Prefix + "pre", PreTokenizerImport.Name(file));
        vocabulary.Write(after);
        Assert.Equal(padding + kinds.Count(kind => kind == TokenTable.Unused), vocabulary.Table.Padding);
        for (int i = 0; i < tokens.Length; i++)
            Assert.Equal((kinds[i] == TokenTable.Unused ? TokenTable.PaddingName(i) : tokens[i], kinds[i]), (after.TryGetStrings(Prefix + "tokens")![i], after.TryGetInt32s(Prefix + "token_type")![i]));
        Assert.Equal(before.TryGetStrings(Prefix + "merges")!, after.TryGetStrings(Prefix + "merges")!);
        ITokenizer tokenizer = Tokenizer.Create(after);
        foreach ((string text, int[] ids) in VocabularyFile.Vectors(name)) Assert.Equal(ids, tokenizer.Encode(text, parseSpecial: false));
    }

    [Fact]
    public void SentencePiece_ThereAndBack_CutsAndMergesAsBefore()
    {
        GgufMetadata before = VocabularyFile.Load("llama-spm");
        using var folder = new TemporaryFolder();
        List<string> notes = [];
        TokenizerExport.Write(folder["."], before, notes);
        Assert.Empty(notes);
        string[] tokens = before.TryGetStrings(Prefix + "tokens")!;
        var import = new SentencePieceImport(folder["tokenizer.model"], AddedTokens.Read(folder["."], HubConfig.Read(folder["tokenizer_config.json"]), null), tokens.Length + 8, notes);
        var after = new GgufMetadata("back");
        after.Set(Prefix + "model", "llama");
        import.Write(after);
        Assert.Equal([.. tokens, .. Enumerable.Range(tokens.Length, 8).Select(TokenTable.PaddingName)], after.TryGetStrings(Prefix + "tokens")!);
        Assert.Equal(before.TryGetFloats(Prefix + "scores")!, after.TryGetFloats(Prefix + "scores")![..tokens.Length]);
        Assert.Equal(before.TryGetInt32s(Prefix + "token_type")!, after.TryGetInt32s(Prefix + "token_type")![..tokens.Length]);
        Assert.Equal((1, 2), (import.Bos, import.Eos));
        ITokenizer tokenizer = Tokenizer.Create(after);
        foreach ((string text, int[] ids) in VocabularyFile.Vectors("llama-spm")) Assert.Equal(ids, tokenizer.Encode(text, parseSpecial: false));
    }

    [Fact]
    public void FirstToken_ThatTheModelWants_BecomesATemplate()
    {
        GgufMetadata before = VocabularyFile.Load("gpt-2");
        before.Set(Prefix + "bos_token_id", 50256u);
        before.Set(Prefix + "add_bos_token", true);
        using var folder = new TemporaryFolder();
        TokenizerExport.Write(folder["."], before, []);
        Assert.Equal("<|endoftext|>", PreTokenizerImport.FirstAdded(HubConfig.Read(folder["tokenizer.json"])));
    }

    [Fact]
    public void Vocabulary_ThatTokenizerJsonCannotHold_IsLeftOutWithANote()
    {
        GgufMetadata metadata = VocabularyFile.Load("gpt-2");
        metadata.Set(Prefix + "pre", "default");
        Assert.Contains("'default'", Single(metadata), StringComparison.Ordinal);
        metadata.Set(Prefix + "pre", "gpt-2");
        string[] tokens = [.. metadata.TryGetStrings(Prefix + "tokens")!];
        tokens[1000] = tokens[999];
        metadata.Set(Prefix + "tokens", tokens);
        Assert.Contains("999 and 1000", Single(metadata), StringComparison.Ordinal);
    }

    [Fact]
    public void Merges_OfAVocabularyCutShort_AreThoseOfItsTokens()
    {
        GgufMetadata metadata = VocabularyFile.Load("gpt-2");
        metadata.Set(Prefix + "tokens", metadata.TryGetStrings(Prefix + "tokens")![..1000]);
        metadata.Set(Prefix + "token_type", metadata.TryGetInt32s(Prefix + "token_type")![..1000]);
        foreach (string key in (string[])["bos_token_id", "eos_token_id", "unknown_token_id", "padding_token_id"]) metadata.Remove(Prefix + key);
        using var folder = new TemporaryFolder();
        TokenizerExport.Write(folder["."], metadata, []);
        var after = new GgufMetadata("cut");
        HubConfig file = HubConfig.Read(folder["tokenizer.json"]);
        new VocabularyImport(file, 1000, AddedTokens.Of(file), []).Write(after);
        Assert.Equal(1000 - 256, after.TryGetStrings(Prefix + "merges")!.Length);
    }

    private static string Single(GgufMetadata metadata)
    {
        using var folder = new TemporaryFolder();
        List<string> notes = [];
        TokenizerExport.Write(folder["."], metadata, notes);
        Assert.False(File.Exists(folder["tokenizer.json"]));
        return Assert.Single(notes);
    }
}
