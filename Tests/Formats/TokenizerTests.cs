using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using MambaRT.Formats;
using Microsoft.ML.Tokenizers;
using Xunit;
using Tokenizer = MambaRT.Formats.Tokenizer;

namespace MambaRT.Tests;

public sealed class TokenizerTests
{
    private static readonly Dictionary<string, ITokenizer> Loaded = [];

    [Theory]
    [InlineData("gpt-2")]
    [InlineData("mpt")]
    [InlineData("falcon")]
    [InlineData("refact")]
    [InlineData("llama-spm")]
    public void Encode_VectorsOfLlamaCpp_GivesTheirTokens(string name)
    {
        ITokenizer tokenizer = Load(name);
        List<string> wrong = [];
        foreach ((string text, int[] tokens) in VocabularyFile.Vectors(name))
        {
            int[] found = tokenizer.Encode(text, parseSpecial: false);
            if (!found.SequenceEqual(tokens)) wrong.Add($"{JsonSerializer.Serialize(text)}\n  {string.Join(' ', tokens)}\n  {string.Join(' ', found)}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Encode_VectorsOfCutGptNeox_GivesTheirTokens()
    {
        GgufMetadata metadata = VocabularyFile.Load("mpt");
        metadata.Set("tokenizer.ggml.tokens", metadata.TryGetStrings("tokenizer.ggml.tokens")![..50280]);
        metadata.Set("tokenizer.ggml.token_type", metadata.TryGetInt32s("tokenizer.ggml.token_type")![..50280]);
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        using JsonDocument vectors = JsonDocument.Parse(File.ReadAllBytes(VocabularyFile.PathOf("gpt-neox.json")));
        int count = 0;
        foreach (JsonElement vector in vectors.RootElement.GetProperty("vectors").EnumerateArray())
        {
            string text = vector.GetProperty("text").GetString()!;
            int[] tokens = [.. vector.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal((text, string.Join(' ', tokens)), (text, string.Join(' ', tokenizer.Encode(text, parseSpecial: true))));
            count++;
        }
        Assert.Equal(77, count);
    }

    [Fact]
    public void Create_GptNeoxWithoutPreTokenizer_UsesTheDefault()
    {
        GgufMetadata metadata = VocabularyFile.Load("mpt");
        metadata.Remove("tokenizer.ggml.pre");
        ITokenizer absent = Tokenizer.Create(metadata);
        metadata.Set("tokenizer.ggml.pre", "gpt-neox");
        ITokenizer named = Tokenizer.Create(metadata);
        foreach ((string text, int[] tokens) in VocabularyFile.Vectors("mpt")) Assert.Equal(tokens, named.Encode(text, false));
        Assert.Equal(absent.Encode("345", false).Concat(absent.Encode("67", false)), absent.Encode("34567", false));
    }

    [Theory]
    [InlineData("gpt-2")]
    [InlineData("mpt")]
    [InlineData("refact")]
    public void Decode_OfEncode_GivesTheTextBack(string name)
    {
        ITokenizer tokenizer = Load(name);
        string everyByte = string.Concat(Enumerable.Range(0, 0x180).Select(unit => (char)unit));
        foreach (string text in (string[])["", " ", "\0\u0001\u007F\u0085\u00A0", "👩‍👩‍👧‍👦🏽 e\u0301\u0302 \u202Eabc", everyByte, "\uD83D", "\uDE00x\uD83D", "a\uFFFD𝐀\r\n\t", .. RandomTexts(200)])
        {
            byte[] expected = Encoding.UTF8.GetBytes(text);
            Assert.Equal(expected, Decode(tokenizer, tokenizer.Encode(text, parseSpecial: false)));
        }
    }

    [Fact]
    public void Encode_BytesWithoutTokens_AreLeftOutAsInLlamaCpp()
    {
        ITokenizer tokenizer = Load("falcon");
        Assert.Equal(tokenizer.Encode("a", false).Concat(tokenizer.Encode("b", false)), tokenizer.Encode("a\u0003b", false));
    }

    [Fact]
    public void Decode_OfEncodeBySentencePiece_GivesTheTextBackAfterASpace()
    {
        ITokenizer tokenizer = Load("llama-spm");
        foreach (string text in RandomTexts(200))
        {
            Assert.Equal(Encoding.UTF8.GetBytes(" " + text), Decode(tokenizer, tokenizer.Encode(text, parseSpecial: false)));
        }
    }

    [Fact]
    public void Encode_RandomText_AgreesWithMicrosoftMlTokenizers()
    {
        GgufMetadata metadata = VocabularyFile.Load("gpt-2");
        string[] tokens = metadata.TryGetStrings("tokenizer.ggml.tokens")!;
        BpeTokenizer other = BpeTokenizer.Create(new BpeOptions(tokens.Select((token, id) => KeyValuePair.Create(token, id)))
        {
            Merges = metadata.TryGetStrings("tokenizer.ggml.merges"),
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(new Regex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"), null),
        });
        ITokenizer tokenizer = Load("gpt-2");
        foreach (string text in RandomTexts(500)) Assert.Equal(other.EncodeToIds(text), tokenizer.Encode(text, parseSpecial: false));
    }

    [Theory]
    [InlineData("gpt-2", 40)]
    [InlineData("gpt-2", 300)]
    [InlineData("llama-spm", 300)]
    public void Encode_LongWords_MergesAsOneWouldByHand(string name, int length)
    {
        GgufMetadata metadata = VocabularyFile.Load(name);
        ITokenizer tokenizer = Load(name);
        Func<string, string, double?> order = name == "gpt-2" ? ByMerges(metadata) : ByScores(metadata);
        var random = new Random(5);
        for (int round = 0; round < 20; round++)
        {
            string word = string.Concat(Enumerable.Range(0, length).Select(_ => "etaoinshrdlu"[random.Next(random.Next(1, 12))]));
            string start = name == "gpt-2" ? word : "\u2581" + word;
            Assert.Equal(MergeByHand(start, order), tokenizer.Encode(word, false).Select(tokenizer.Spelling));
        }
    }

    [Theory(Timeout = 20_000)]
    [InlineData("gpt-2", "a")]
    [InlineData("gpt-2", "xyz")]
    [InlineData("gpt-2", " ")]
    [InlineData("gpt-2", "\n ")]
    [InlineData("mpt", " ")]
    [InlineData("mpt", "<|endoftext|")]
    [InlineData("falcon", "1")]
    [InlineData("refact", "1")]
    [InlineData("llama-spm", "a")]
    [InlineData("llama-spm", " ")]
    [InlineData("llama-spm", "漢字")]
    public async Task Encode_MegabyteOfOnePattern_EndsSoon(string name, string pattern)
    {
        ITokenizer tokenizer = Load(name);
        string text = string.Concat(Enumerable.Repeat(pattern, (1 << 20) / pattern.Length));
        int[] tokens = await Task.Run(() => tokenizer.Encode(text, parseSpecial: true));
        string decoded = Encoding.UTF8.GetString(Decode(tokenizer, tokens));
        Assert.Equal(name == "llama-spm" ? " " + text : text, decoded);
    }

    [Fact]
    public void Encode_ManyThreads_GiveTheSame()
    {
        ITokenizer shared = Tokenizer.Create(VocabularyFile.Load("gpt-2"));
        string[] texts = [.. RandomTexts(100)];
        int[][] alone = [.. texts.Select(text => Load("gpt-2").Encode(text, false))];
        Parallel.For(0, 800, i => Assert.Equal(alone[i % texts.Length], shared.Encode(texts[i % texts.Length], false)));
    }

    [Theory]
    [InlineData("gpt-2", 50256, 50256, 50256, false)]
    [InlineData("mpt", 0, 0, 0, false)]
    [InlineData("falcon", 11, 11, 11, false)]
    [InlineData("llama-spm", 1, 2, -1, true)]
    public void Create_RealVocabulary_HasItsSpecialTokens(string name, int bos, int eos, int eot, bool addBos)
    {
        ITokenizer tokenizer = Load(name);
        Assert.Equal((bos, eos, eot, addBos, false), (tokenizer.Bos, tokenizer.Eos, tokenizer.Eot, tokenizer.AddBos, tokenizer.AddEos));
        Assert.Equal([eos], Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.IsEndOfGeneration));
        Assert.Equal([eos], tokenizer.Encode(tokenizer.Spelling(eos), parseSpecial: true));
    }

    private static IEnumerable<string> RandomTexts(int count)
    {
        string[] pieces =
        [
            "the", " quick", "Brown", " fox's", "n't", "'ll", "é", "e\u0301", "漢字", "ж", "😀", "👍🏽", "\u200D", " ", "  ", "\n", "\t", "\r\n", "1", "23", "4567",
            "½", ".", ",", "!?", "--", "(", ")", "{", "\\", "\0", "\u001B", "\u00A0", "\u2003", "€", "antidisestablishmentarianism",
        ];
        var random = new Random(11);
        for (int i = 0; i < count; i++) yield return string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => pieces[random.Next(pieces.Length)]));
    }

    private static Func<string, string, double?> ByMerges(GgufMetadata metadata)
    {
        Dictionary<string, double> ranks = metadata.TryGetStrings("tokenizer.ggml.merges")!.Select((merge, rank) => (merge, rank)).ToDictionary(pair => pair.merge, pair => (double)pair.rank);
        return (left, right) => ranks.TryGetValue(left + " " + right, out double rank) ? rank : null;
    }

    private static Func<string, string, double?> ByScores(GgufMetadata metadata)
    {
        string[] tokens = metadata.TryGetStrings("tokenizer.ggml.tokens")!;
        Dictionary<string, double> ranks = tokens.Zip(metadata.TryGetFloats("tokenizer.ggml.scores")!).ToDictionary(pair => pair.First, pair => -(double)pair.Second);
        return (left, right) => ranks.TryGetValue(left + right, out double rank) ? rank : null;
    }

    private static List<string> MergeByHand(string word, Func<string, string, double?> order)
    {
        List<string> parts = [.. word.Select(unit => unit.ToString())];
        while (true)
        {
            (double Rank, int At) best = (double.PositiveInfinity, -1);
            for (int i = 0; i + 1 < parts.Count; i++)
            {
                if (order(parts[i], parts[i + 1]) is double rank && rank < best.Rank) best = (rank, i);
            }
            if (best.At < 0) return parts;
            parts[best.At] += parts[best.At + 1];
            parts.RemoveAt(best.At + 1);
        }
    }

    private static byte[] Decode(ITokenizer tokenizer, int[] tokens)
    {
        using var bytes = new MemoryStream();
        foreach (int token in tokens) bytes.Write(tokenizer.Decode(token, renderSpecial: true));
        return bytes.ToArray();
    }

    private static ITokenizer Load(string name)
    {
        lock (Loaded)
        {
            if (!Loaded.TryGetValue(name, out ITokenizer? tokenizer)) Loaded[name] = tokenizer = Tokenizer.Create(VocabularyFile.Load(name));
            return tokenizer;
        }
    }
}
