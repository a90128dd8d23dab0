using System.Buffers;

namespace MambaRT.Formats;

/// <summary>Finds tokens that stand in a text by their spelling: the leftmost place, and the longest token there, with the white space that belongs to it.</summary>
/// <remarks>
/// The tokens in the order of their spellings: each further character of the text halves its way to those that go on with it, so the table is an int a token,
/// however long they are. Work per place is bounded by <see cref="Vocabulary.MaxSpelling"/>. llama.cpp looks for the longest
/// token in the whole text first, which differs only where two special tokens overlap in part.
/// </remarks>
internal sealed class SpecialTokens
{
    private readonly Vocabulary _vocabulary;
    private readonly int[] _tokens;   // by spelling, no two alike
    private readonly SearchValues<char> _firsts;
    private readonly TokenMatchings _matchings;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="withControl">Whether control and unknown tokens are found, beside user-defined ones.</param>
    public SpecialTokens(Vocabulary vocabulary, bool withControl)
    {
        _vocabulary = vocabulary;
        _matchings = vocabulary.Matchings;
        var tokens = new List<int>();
        HashSet<char> firsts = [];
        for (int token = 0; token < vocabulary.Count; token++)
        {
            bool wanted = vocabulary.Kind(token) == TokenKind.UserDefined
                || (withControl && vocabulary.Kind(token) is TokenKind.Control or TokenKind.Unknown);
            string spelling = vocabulary.Spelling(token);
            if (!wanted || spelling.Length == 0) continue;
            firsts.Add(spelling[0]);
            tokens.Add(token);
        }
        _tokens = [.. tokens];
        Array.Sort(_tokens, (a, b) => string.CompareOrdinal(vocabulary.Spelling(a), vocabulary.Spelling(b)) is not 0 and int order ? order : b.CompareTo(a));
        _tokens = WithoutRepeats(_tokens);
        _firsts = SearchValues.Create(firsts.ToArray());
    }

    /// <summary>Finds the first special token.</summary>
    /// <param name="text">Where to look.</param>
    /// <param name="from">Where to begin; what is before decides whether a word begins here.</param>
    /// <param name="start">Where it begins; the text's length when there is none.</param>
    /// <param name="end">Where the text after it begins.</param>
    /// <returns>The token, or −1.</returns>
    public int Find(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        for (start = from; start < text.Length; start++)
        {
            int skip = text[start..].IndexOfAny(_firsts);
            if (skip < 0) break;
            start += skip;
            int token = Longest(text[start..], out int length);
            if (token < 0) continue;
            end = start + length;
            if (_matchings.Is(token, text, start, end))
            {
                if (_matchings[token].HasFlag(TokenMatching.StripsLeft)) start = from + text[from..start].TrimEnd().Length;
                if (_matchings[token].HasFlag(TokenMatching.StripsRight)) end = text.Length - text[end..].TrimStart().Length;
                return token;
            }
            start = end - 1;
        }
        start = end = text.Length;
        return -1;
    }

    private int Longest(ReadOnlySpan<char> text, out int length)
    {
        int token = -1, begin = 0, end = _tokens.Length;
        length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            // Of those that agree so far, those with this character here; what ends before sorts first.
            begin = First(begin, end, i, text[i]);
            end = First(begin, end, i, text[i] + 1);
            if (begin == end) break;
            if (_vocabulary.Spelling(_tokens[begin]).Length != i + 1) continue;
            token = _tokens[begin];
            length = i + 1;
        }
        return token;
    }

    /// <summary>Among neighbours that agree before place <paramref name="at"/>, the first whose character there is at least <paramref name="unit"/>.</summary>
    private int First(int begin, int end, int at, int unit)
    {
        while (begin < end)
        {
            int middle = begin + (end - begin) / 2;
            string spelling = _vocabulary.Spelling(_tokens[middle]);
            if (spelling.Length <= at || spelling[at] < unit) begin = middle + 1;
            else end = middle;
        }
        return begin;
    }

    /// <summary>Of tokens spelled alike, which are neighbours, the first.</summary>
    private int[] WithoutRepeats(int[] sorted)
    {
        int count = 0;
        foreach (int token in sorted)
            if (count == 0 || _vocabulary.Spelling(sorted[count - 1]) != _vocabulary.Spelling(token)) sorted[count++] = token;
        return sorted[..count];
    }
}
