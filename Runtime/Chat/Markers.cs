using System.Buffers;

namespace MambaRT.Chat;

/// <summary>Finds tokens by their spelling: the leftmost place, and the longest token there. Immutable and thread-safe.</summary>
internal sealed class Markers
{
    private readonly Dictionary<string, int> _tokens = new(StringComparer.Ordinal);
    private readonly SearchValues<string> _spellings;
    private readonly int[] _lengths;   // of the spellings, each once, descending

    /// <param name="markers">Tokens with their spellings, none empty.</param>
    public Markers(IReadOnlyList<(string Spelling, int Token)> markers)
    {
        var lengths = new SortedSet<int>();
        foreach ((string spelling, int token) in markers)
        {
            _tokens[spelling] = token;
            lengths.Add(spelling.Length);
        }
        _lengths = [.. lengths.Reverse()];
        _spellings = SearchValues.Create([.. _tokens.Keys], StringComparison.Ordinal);
    }

    /// <summary>Finds the first marker; returns its token, or -1 with <paramref name="start"/> at the text's end.</summary>
    public int Find(ReadOnlySpan<char> text, out int start, out int length)
    {
        start = text.IndexOfAny(_spellings);
        if (start >= 0)
        {
            Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();
            foreach (int candidate in _lengths)
            {
                length = candidate;
                if (length <= text.Length - start && lookup.TryGetValue(text.Slice(start, length), out int token)) return token;
            }
        }
        start = text.Length;
        length = 0;
        return -1;
    }
}
