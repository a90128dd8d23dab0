using System.Buffers;

namespace MambaRT.Formats;

/// <summary>Finds tokens that stand in a text by their spelling: the leftmost place, and the longest token there, with the white space that belongs to it.</summary>
/// <remarks>
/// A trie over UTF-16 units; work per place is bounded by <see cref="Vocabulary.MaxSpelling"/>. llama.cpp looks for the longest
/// token in the whole text first, which differs only where two special tokens overlap in part.
/// </remarks>
internal sealed class SpecialTokens
{
    private readonly Dictionary<ulong, int> _children = [];   // node and unit to node
    private readonly List<int> _tokens = [-1];                // token that ends at a node, or -1
    private readonly SearchValues<char> _firsts;
    private readonly TokenMatchings _matchings;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="withControl">Whether control and unknown tokens are found, beside user-defined ones.</param>
    public SpecialTokens(Vocabulary vocabulary, bool withControl)
    {
        _matchings = vocabulary.Matchings;
        HashSet<char> firsts = [];
        for (int token = 0; token < vocabulary.Count; token++)
        {
            bool wanted = vocabulary.Kind(token) == TokenKind.UserDefined
                || (withControl && vocabulary.Kind(token) is TokenKind.Control or TokenKind.Unknown);
            string spelling = vocabulary.Spelling(token);
            if (!wanted || spelling.Length == 0) continue;
            firsts.Add(spelling[0]);
            _tokens[Grow(spelling)] = token;
        }
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
        int token = -1;
        length = 0;
        int node = 0;
        for (int i = 0; i < text.Length && _children.TryGetValue(Edge(node, text[i]), out node); i++)
        {
            if (_tokens[node] < 0) continue;
            token = _tokens[node];
            length = i + 1;
        }
        return token;
    }

    private int Grow(string spelling)
    {
        int node = 0;
        foreach (char unit in spelling)
        {
            if (!_children.TryGetValue(Edge(node, unit), out int child))
            {
                child = _tokens.Count;
                _tokens.Add(-1);
                _children.Add(Edge(node, unit), child);
            }
            node = child;
        }
        return node;
    }

    private static ulong Edge(int node, char unit) => ((ulong)(uint)node << 16) | unit;
}
