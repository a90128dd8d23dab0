using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class TokenizerMetadataTests
{
    private const string Prefix = "tokenizer.ggml.";

    [Theory]
    [InlineData("tokens", null)]
    [InlineData("tokens", new string[0])]
    [InlineData("merges", null)]
    [InlineData("merges", new[] { "ab" })]
    [InlineData("merges", new[] { " b" })]
    [InlineData("merges", new[] { "a " })]
    [InlineData("merges", new[] { "" })]
    [InlineData("merges", new[] { 1 })]
    [InlineData("token_type", new[] { 1 })]
    [InlineData("token_type", new[] { 1, 1, 1, 7, 1, 1, 1 })]
    [InlineData("token_type", new[] { 1, 1, 1, -1, 1, 1, 1 })]
    [InlineData("scores", new[] { 1f })]
    [InlineData("bos_token_id", "a")]
    [InlineData("add_bos_token", true)]
    [InlineData("add_eos_token", true)]
    [InlineData("add_bos_token", 1)]
    public void Create_BadBytePairKey_IsRefusedByName(string key, object? value) => AssertRefused(BytePair(), key, value);

    [Theory]
    [InlineData("tokens", null)]
    [InlineData("scores", null)]
    [InlineData("scores", new[] { 1f })]
    [InlineData("scores", new[] { 0f, 0, 0, 0, 0, float.NaN, 0, 0 })]
    [InlineData("token_type", new[] { 1 })]
    [InlineData("add_space_prefix", 1)]
    [InlineData("prepend_scheme", "last")]
    [InlineData("spm_merges", new[] { "aa" })]
    [InlineData("lstrip_token_ids", new[] { 8 })]
    [InlineData("rstrip_token_ids", new[] { -1 })]
    [InlineData("single_word_token_ids", "a")]
    public void Create_BadSentencePieceKey_IsRefusedByName(string key, object? value) => AssertRefused(SentencePiece(), key, value);

    [Theory]
    [InlineData("lstrip", "aa<s>aa", "7,4,1,7,4")]
    [InlineData("lstrip", "a \u00a0<s> a", "7,1,5,7")]
    [InlineData("lstrip", "<s> <s>", "1,1")]
    [InlineData("rstrip", "<s> \n\u3000a", "1,7")]
    [InlineData("rstrip", "<s> <s>", "1,1")]
    [InlineData("single_word", "a<s>", "7,0")]
    [InlineData("single_word", "<s>_", "5,0")]
    [InlineData("single_word", "a <s>.", "7,5,1,5,0")]
    [InlineData("single_word", "<s><s>", "1,1")]
    public void Encode_TokenThatMindsItsNeighbours_IsMatchedWithThem(string flag, string text, string expected)
    {
        GgufMetadata metadata = SentencePiece();
        metadata.Set($"{Prefix}{flag}_token_ids", new[] { 1u });
        int[] tokens = Tokenizer.Create(metadata).Encode(text, parseSpecial: true);
        Assert.Equal(expected, string.Join(',', tokens));
        Assert.Equal(TokenMatching.None, Tokenizer.Create(metadata).Matching(2));
    }

    [Theory]
    [InlineData("bos_token_id", 7)]
    [InlineData("eos_token_id", -1)]
    [InlineData("eot_token_id", uint.MaxValue)]
    [InlineData("eom_token_id", 7u)]
    [InlineData("unknown_token_id", long.MinValue)]
    [InlineData("padding_token_id", ulong.MaxValue)]
    public void Create_IdOfNoToken_IsTakenAsAbsentAndTold(string key, object value)
    {
        GgufMetadata metadata = BytePair();
        metadata.Remove(Prefix + key);
        Assert.Null(Tokenizer.UnusableTokens(metadata));
        ITokenizer without = Tokenizer.Create(metadata);
        metadata.Set(Prefix + key, value);
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        Assert.Equal((without.Bos, without.Eos, without.Eot), (tokenizer.Bos, tokenizer.Eos, tokenizer.Eot));
        for (int token = 0; token < tokenizer.VocabularySize; token++) Assert.Equal(without.IsEndOfGeneration(token), tokenizer.IsEndOfGeneration(token));
        Assert.StartsWith($"file.gguf: key '{Prefix}{key}' is {value}; ", Tokenizer.UnusableTokens(metadata), StringComparison.Ordinal);
    }

    [Fact]
    public void Create_TokenOfExcessiveLength_IsRefused()
    {
        GgufMetadata metadata = BytePair();
        metadata.Set(Prefix + "tokens", new[] { new string('a', 100_000) });
        metadata.Remove(Prefix + "token_type");
        Assert.Contains("100000", Assert.Throws<FormatException>(() => Tokenizer.Create(metadata)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model", "bert", "gpt2, llama, no_vocab")]
    [InlineData("pre", "tekken", "gpt-2")]
    public void Create_UnknownKind_NamesItAndThoseKnown(string key, string value, string known)
    {
        GgufMetadata metadata = BytePair();
        metadata.Set(Prefix + key, value);
        var error = Assert.Throws<NotSupportedException>(() => Tokenizer.Create(metadata));
        Assert.Contains("file.gguf", error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{value}'", error.Message, StringComparison.Ordinal);
        Assert.Contains(known, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_NoModel_IsRefusedByName() =>
        Assert.Contains(Prefix + "model", Assert.Throws<FormatException>(() => Tokenizer.Create(new GgufMetadata("file.gguf"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Create_NoVocabulary_HasIdsButNoText()
    {
        var metadata = new GgufMetadata("file.gguf");
        metadata.Set("general.architecture", "mamba");
        metadata.Set("mamba.vocab_size", 1024u);
        metadata.Set(Prefix + "model", "no_vocab");
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        Assert.False(tokenizer.HasVocabulary);
        Assert.Equal(1024, tokenizer.VocabularySize);
        Assert.Equal((-1, -1, -1), (tokenizer.Bos, tokenizer.Eos, tokenizer.Eot));
        Assert.False(tokenizer.IsEndOfGeneration(0) || tokenizer.IsEndOfGeneration(-1));
        Assert.Contains("token ids only", Assert.Throws<NotSupportedException>(() => tokenizer.Encode("a", false)).Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => { tokenizer.Decode(1, false); });
        Assert.Throws<NotSupportedException>(() => tokenizer.Spelling(1));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0u)]
    [InlineData(-5)]
    [InlineData(ulong.MaxValue)]
    public void Create_NoVocabularyNorSize_IsRefused(object? size)
    {
        var metadata = new GgufMetadata("file.gguf");
        metadata.Set("general.architecture", "mamba");
        metadata.Set(Prefix + "model", "no_vocab");
        if (size is not null) metadata.Set("mamba.vocab_size", size);
        Assert.Contains("mamba.vocab_size", Assert.Throws<FormatException>(() => Tokenizer.Create(metadata)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_TokenOutOfRange_IsRefused()
    {
        ITokenizer tokenizer = Tokenizer.Create(BytePair());
        Assert.Throws<ArgumentOutOfRangeException>(() => { tokenizer.Decode(-1, true); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { tokenizer.Decode(7, true); });
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Spelling(7));
    }

    [Fact]
    public void Encode_ControlToken_MatchesOnlyWhenParsed()
    {
        ITokenizer tokenizer = Tokenizer.Create(BytePair());
        Assert.Equal([4], tokenizer.Encode("<|im_end|>", parseSpecial: true));
        Assert.DoesNotContain(4, tokenizer.Encode("<|im_end|>", parseSpecial: false));
        Assert.Equal(0, tokenizer.Decode(4, renderSpecial: false).Length);
        Assert.Equal("<|im_end|>"u8.ToArray(), tokenizer.Decode(4, renderSpecial: true).ToArray());
    }

    [Fact]
    public void Encode_UserDefinedTokens_AlwaysMatchTheLongest()
    {
        ITokenizer tokenizer = Tokenizer.Create(BytePair());
        Assert.Equal([0, 6, 5, 2], tokenizer.Encode("axxxxxab", parseSpecial: false));
    }

    [Fact]
    public void IsEndOfGeneration_BySpelling_NeedsASpecialToken()
    {
        GgufMetadata metadata = BytePair();
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        Assert.True(tokenizer.IsEndOfGeneration(4));
        Assert.Equal(4, tokenizer.Eot);
        Assert.False(tokenizer.IsEndOfGeneration(3));
        metadata.Set(Prefix + "token_type", new[] { 1, 1, 1, 1, 1, 4, 4 });
        tokenizer = Tokenizer.Create(metadata);
        Assert.False(tokenizer.IsEndOfGeneration(4));
        Assert.Equal(-1, tokenizer.Eot);
    }

    [Fact]
    public void IsEndOfGeneration_ByKey_CountsAnyToken()
    {
        GgufMetadata metadata = BytePair();
        metadata.Set(Prefix + "eos_token_id", 0);
        metadata.Set(Prefix + "eot_token_id", 1);
        metadata.Set(Prefix + "eom_token_id", 2);
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        Assert.Equal([0, 1, 2, 4], Enumerable.Range(-1, 10).Where(tokenizer.IsEndOfGeneration));
        Assert.Equal((0, 1), (tokenizer.Eos, tokenizer.Eot));
    }

    [Theory]
    [InlineData("gpt-2", null, false)]
    [InlineData("gpt-2", true, true)]
    [InlineData("llama-bpe", null, true)]
    [InlineData("llama3", false, false)]
    public void AddBos_BytePair_FollowsTheKeyElseThePreTokenizer(string pre, bool? key, bool expected)
    {
        GgufMetadata metadata = BytePair();
        metadata.Set(Prefix + "pre", pre);
        metadata.Set(Prefix + "bos_token_id", 4);
        if (key is bool stated) metadata.Set(Prefix + "add_bos_token", stated);
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        Assert.Equal((expected, false), (tokenizer.AddBos, tokenizer.AddEos));
    }

    [Fact]
    public void Encode_LlamaPreTokenizer_TakesWholeWordsFirst()
    {
        GgufMetadata metadata = BytePair();
        metadata.Set(Prefix + "merges", Array.Empty<string>());
        Assert.Equal([0, 1], Tokenizer.Create(metadata).Encode("ab", false));
        metadata.Set(Prefix + "pre", "llama-bpe");
        Assert.Equal([2], Tokenizer.Create(metadata).Encode("ab", false));
    }

    [Fact]
    public void Create_MergesOfMissingTokens_AreLeftOut()
    {
        GgufMetadata metadata = BytePair();
        metadata.Set(Prefix + "merges", new[] { "b a", "q a", "a b" });
        Assert.Equal([2, 2], Tokenizer.Create(metadata).Encode("abab", false));
    }

    [Fact]
    public void Encode_SentencePiece_AddsSpaceAndFallsBackToBytes()
    {
        GgufMetadata metadata = SentencePiece();
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        Assert.Equal((1, 2, true, false), (tokenizer.Bos, tokenizer.Eos, tokenizer.AddBos, tokenizer.AddEos));
        Assert.Equal([7], tokenizer.Encode("a", false));
        Assert.Equal([7, 4, 3], tokenizer.Encode("aaA", false));     // A is there as a byte only
        Assert.Equal([7, 0], tokenizer.Encode("aé", false));         // nor are the bytes of é: unknown
        Assert.Equal([7, 0, 4, 0], tokenizer.Encode("aé日本a🙂", false));   // and those that stand together are one
        Assert.Equal([7, 2, 7], tokenizer.Encode("a</s>a", true));   // a space after a special token too
        Assert.Equal("A"u8.ToArray(), tokenizer.Decode(3, false).ToArray());
        Assert.Equal(" a"u8.ToArray(), tokenizer.Decode(7, false).ToArray());
        metadata.Set(Prefix + "add_space_prefix", false);
        Assert.Equal([4], Tokenizer.Create(metadata).Encode("a", false));
    }

    [Fact]
    public void Encode_SentencePieceWithTokensAcrossWords_MergesThem()
    {
        GgufMetadata metadata = SentencePiece();
        metadata.Set(Prefix + "tokens", new[] { "<unk>", "<s>", "</s>", "<0x41>", "a", "\u2581", "a\u2581a", "a\u2581" });
        metadata.Set(Prefix + "add_space_prefix", false);
        Assert.Equal([6], Tokenizer.Create(metadata).Encode("a a", false));
    }

    [Fact]
    public void Encode_SentencePieceOfRandomTokens_MergesAsAListOfPairsWould()
    {
        var random = new Random(11);
        var spellings = new SortedSet<string>(StringComparer.Ordinal) { "a", "b", "\U0001F600", "\u2581" };
        while (spellings.Count < 300) spellings.Add(string.Concat(Enumerable.Range(0, random.Next(1, 7)).Select(_ => random.Next(9) is 0 ? "\U0001F600" : random.Next(9) is 0 ? "c" : random.Next(2) == 0 ? "a" : "b")));
        string[] tokens = ["<unk>", "<s>", "</s>", .. spellings];
        float[] scores = [.. tokens.Select(_ => -(float)random.Next(40))];
        var metadata = new GgufMetadata("file.gguf");
        metadata.Set(Prefix + "model", "llama");
        metadata.Set(Prefix + "tokens", tokens);
        metadata.Set(Prefix + "token_type", (int[])[2, 3, 3, .. Enumerable.Repeat(1, spellings.Count)]);
        metadata.Set(Prefix + "scores", scores);
        metadata.Set(Prefix + "add_space_prefix", false);
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        for (int length = 1; length < 120; length++)
        {
            string text = string.Concat(Enumerable.Range(0, length).Select(_ => random.Next(7) switch { 0 => "\U0001F600", 1 or 2 or 3 => "a", _ => "b" }));
            Assert.Equal(MergedByHand(text, tokens, scores), tokenizer.Encode(text, false).Select(t => tokens[t]));
        }
    }

    /// <summary>The pair of neighbours that together are the token of the highest score is merged, the leftmost of equals first, until none is.</summary>
    private static List<string> MergedByHand(string text, string[] tokens, float[] scores)
    {
        List<string> parts = [.. text.EnumerateRunes().Select(r => r.ToString())];
        while (true)
        {
            (int best, float score) = (-1, float.NegativeInfinity);
            for (int i = 0; i + 1 < parts.Count; i++)
                if (Array.IndexOf(tokens, parts[i] + parts[i + 1]) is > 2 and int token && scores[token] > score) (best, score) = (i, scores[token]);
            if (best < 0) return parts;
            parts[best] += parts[best + 1];
            parts.RemoveAt(best + 1);
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Create_LongTokensThatShareTheirParts_TakesTheMemoryOfTheirFile(string model)
    {
        // As tokens of 300 characters each, every one of which can be cut into tokens everywhere; and as long control tokens.
        const int Longest = 300, Some = 4000;
        var random = new Random(3);
        string[] tokens = model == "llama"
            ? [.. Enumerable.Range(0, Longest + 1).SelectMany(i => Enumerable.Range(0, Longest + 1 - i).Select(j => new string('a', i) + new string('b', j))).Where(t => t.Length > 0).Take(20_000)]
            : [.. Enumerable.Range(0, Some).Select(_ => "<|" + string.Concat(Enumerable.Range(0, Longest).Select(_ => (char)('a' + random.Next(26)))) + "|>")];
        var metadata = new GgufMetadata("file.gguf");
        metadata.Set(Prefix + "model", model);
        metadata.Set(Prefix + "pre", "gpt-2");
        metadata.Set(Prefix + "tokens", tokens);
        metadata.Set(Prefix + "token_type", Enumerable.Repeat(model == "llama" ? 1 : 3, tokens.Length).ToArray());
        metadata.Set(Prefix + "scores", tokens.Select((_, i) => -(float)(i % 1000)).ToArray());
        metadata.Set(Prefix + "merges", Array.Empty<string>());
        long file = tokens.Sum(t => 16L + t.Length), before = GC.GetAllocatedBytesForCurrentThread();
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 10 * file, $"{allocated} bytes for {file}");
        string longest = tokens.MaxBy(t => t.Length)!;   // there are tokens
        Assert.Equal(longest, tokenizer.Spelling(tokenizer.Encode(longest, true)[^1])[^longest.Length..]);
    }

    private static void AssertRefused(GgufMetadata metadata, string key, object? value)
    {
        Tokenizer.Create(metadata);
        if (value is null) metadata.Remove(Prefix + key);
        else metadata.Set(Prefix + key, value);
        var error = Assert.Throws<FormatException>(() => Tokenizer.Create(metadata));
        Assert.StartsWith("file.gguf: key '" + Prefix + key, error.Message, StringComparison.Ordinal);
    }

    private static GgufMetadata BytePair()
    {
        var metadata = new GgufMetadata("file.gguf");
        metadata.Set(Prefix + "model", "gpt2");
        metadata.Set(Prefix + "pre", "gpt-2");
        metadata.Set(Prefix + "tokens", new[] { "a", "b", "ab", "</s>", "<|im_end|>", "xx", "xxx" });
        metadata.Set(Prefix + "token_type", new[] { 1, 1, 1, 1, 3, 4, 4 });
        metadata.Set(Prefix + "merges", new[] { "a b" });
        return metadata;
    }

    private static GgufMetadata SentencePiece()
    {
        var metadata = new GgufMetadata("file.gguf");
        metadata.Set(Prefix + "model", "llama");
        metadata.Set(Prefix + "tokens", new[] { "<unk>", "<s>", "</s>", "<0x41>", "a", "\u2581", "aa", "\u2581a" });
        metadata.Set(Prefix + "token_type", new[] { 2, 3, 3, 6, 1, 1, 1, 1 });
        metadata.Set(Prefix + "scores", new[] { 0f, 0, 0, 0, -4, -3, -2, -1 });
        return metadata;
    }
}
