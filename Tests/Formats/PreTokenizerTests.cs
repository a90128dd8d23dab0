using System.Text;
using System.Text.RegularExpressions;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class PreTokenizerTests
{
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    private const string Contractions = @"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
    private const string Llama3 = Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Qwen2 = Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // Of the basic plane only: .NET's expressions see the halves of a surrogate pair.
    private static readonly string[] Pieces =
    [
        "'", "'s", "'S", "'re", "'RE", "'ll", "'lL", "'ve", "'d", "'m", " ", "  ", "   ", "\t", "\r", "\n", "\r\n", "\n\n", "\u0085", "\u00A0", "\u2003", "\u3000",
        "a", "Z", "word", "é", "ß", "ʻ", "ж", "漢", "ก", "\u0301", "\u0E34", "0", "1", "12", "345", "6789", "½", "²", "Ⅷ", "٣", "$", "+", "<", "=", ">", "^", "~", "|", "`",
        "!", "?", ".", "-", "_", "(", "»", "…", "、", "€", "©", "\u200B", "\0", "\u001F", "\uFFFD",
    ];

    [Theory]
    [InlineData("gpt-2", Gpt2)]
    [InlineData("mpt", Gpt2)]
    [InlineData("refact", @"\p{N}", Gpt2)]
    [InlineData("falcon", @"[\p{P}\$\+<=>\^~\|`]+", Gpt2, "[0-9][0-9][0-9]")]
    [InlineData(null, @"[\p{P}\$\+<=>\^~\|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]")]
    [InlineData("llama-bpe", Llama3)]
    [InlineData("qwen2", Qwen2)]
    public void Split_RandomText_CutsAsThePublishedExpressions(string? name, params string[] expressions)
    {
        PreTokenizer pre = PreTokenizer.Find(name, "test");
        var random = new Random(7);
        for (int round = 0; round < 5000; round++)
        {
            var text = new StringBuilder();
            for (int i = random.Next(1, 16); i > 0; i--) text.Append(Pieces[random.Next(Pieces.Length)]);
            Assert.Equal(ByExpressions(text.ToString(), expressions), Words(pre, text.ToString()));
        }
    }

    [Fact]
    public void Split_LettersAboveTheBasicPlane_AreLetters()
    {
        Assert.Equal(["𝐀𝐁", " 𐐀", "😀😀", " 𝟘𝟙", "\uD800"], Words(PreTokenizer.Find("gpt-2", "test"), "𝐀𝐁 𐐀😀😀 𝟘𝟙\uD800"));
    }

    [Fact]
    public void Find_UnknownName_NamesItAndThoseKnown()
    {
        var error = Assert.Throws<NotSupportedException>(() => PreTokenizer.Find("tekken", "file.gguf"));
        Assert.Contains("file.gguf", error.Message, StringComparison.Ordinal);
        Assert.Contains("'tekken'", error.Message, StringComparison.Ordinal);
        Assert.Contains("qwen2", error.Message, StringComparison.Ordinal);
    }

    private static string[] ByExpressions(string text, string[] expressions)
    {
        List<string> pieces = [text];
        foreach (string expression in expressions)
        {
            List<string> cut = [];
            foreach (string piece in pieces)
            {
                int end = 0;
                foreach (Match match in Regex.Matches(piece, expression, RegexOptions.CultureInvariant))
                {
                    if (match.Index > end) cut.Add(piece[end..match.Index]);
                    cut.Add(match.Value);
                    end = match.Index + match.Length;
                }
                if (end < piece.Length) cut.Add(piece[end..]);
            }
            pieces = cut;
        }
        return [.. pieces];
    }

    private static string[] Words(PreTokenizer pre, string text)
    {
        var sink = new Sink([]);
        pre.Split(text, ref sink);
        return [.. sink.Words];
    }

    private readonly record struct Sink(List<string> Words) : IWordSink
    {
        public void Add(ReadOnlySpan<char> word) => Words.Add(word.ToString());
    }
}
