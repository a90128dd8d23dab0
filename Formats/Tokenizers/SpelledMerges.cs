using System.Numerics;
using System.Text;

namespace MambaRT.Formats;

/// <summary>Merges of a vocabulary in which two symbols merge when their spellings together are a token; the highest score comes first.</summary>
/// <remarks>
/// A token of n characters can be cut n − 1 ways, so a list of pairs may be hundreds of times the vocabulary. Here nothing is listed: the hash of two
/// spellings together follows from theirs (a polynomial in the character codes), and a table of the vocabulary by that hash says whether there is such a
/// token. Open addressing with linear probing at most half full.
/// </remarks>
internal sealed class SpelledMerges : IMerges
{
    private const ulong Base = 0x9E3779B97F4A7C15;

    private readonly Vocabulary _vocabulary;
    private readonly int[] _ranks;         // of each token
    private readonly ulong[] _hashes;      // of each token's spelling
    private readonly ulong[] _powers = new ulong[Vocabulary.MaxSpelling + 1];   // of the base
    private readonly int[] _slots;         // token + 1, or 0
    private readonly int _mask;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="scores">Of each token, no NaN.</param>
    public SpelledMerges(Vocabulary vocabulary, float[] scores)
    {
        _vocabulary = vocabulary;
        _ranks = RanksOf(scores);
        _hashes = new ulong[vocabulary.Count];
        _powers[0] = 1;
        for (int i = 1; i < _powers.Length; i++) _powers[i] = _powers[i - 1] * Base;
        _slots = new int[checked((int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(vocabulary.Count, 8) * 2))];
        _mask = _slots.Length - 1;
        for (int token = 0; token < vocabulary.Count; token++)
        {
            string spelling = vocabulary.Spelling(token);
            _hashes[token] = HashOf(spelling);
            if (vocabulary.Find(spelling) != token) continue;
            int slot = First(_hashes[token]);
            while (_slots[slot] != 0) slot = (slot + 1) & _mask;
            _slots[slot] = token + 1;
        }
    }

    /// <inheritdoc/>
    public int Rank(int left, int right) => Result(left, right) is >= 0 and int token ? _ranks[token] : -1;

    /// <inheritdoc/>
    public int Result(int left, int right)
    {
        Span<char> leftUnits = stackalloc char[2], rightUnits = stackalloc char[2];
        ReadOnlySpan<char> a = SpellingOf(left, leftUnits), b = SpellingOf(right, rightUnits);
        if (a.Length + b.Length > Vocabulary.MaxSpelling) return -1;
        ulong hash = unchecked((left >= 0 ? _hashes[left] : HashOf(a)) * _powers[b.Length] + (right >= 0 ? _hashes[right] : HashOf(b)));
        for (int slot = First(hash); _slots[slot] != 0; slot = (slot + 1) & _mask)
        {
            int token = _slots[slot] - 1;
            if (_hashes[token] != hash) continue;
            ReadOnlySpan<char> spelling = _vocabulary.Spelling(token);
            if (spelling.Length == a.Length + b.Length && spelling.StartsWith(a) && spelling[a.Length..].SequenceEqual(b)) return token;
        }
        return -1;
    }

    private ReadOnlySpan<char> SpellingOf(int symbol, Span<char> units) =>
        symbol >= 0 ? _vocabulary.Spelling(symbol) : units[..new Rune(~symbol).EncodeToUtf16(units)];

    private static ulong HashOf(ReadOnlySpan<char> spelling)
    {
        ulong hash = 0;
        foreach (char unit in spelling) hash = unchecked(hash * Base + unit + 1);
        return hash;
    }

    private int First(ulong hash) => (int)((hash ^ (hash >> 32)) * 0xD6E8FEB86659FD93 >> 33) & _mask;

    /// <summary>The place of each score among the different ones, the highest first.</summary>
    private static int[] RanksOf(float[] scores)
    {
        float[] order = [.. scores];
        Array.Sort(order);
        int count = 0;
        foreach (float score in order)
            if (count == 0 || order[count - 1] != score) order[count++] = score;
        return Array.ConvertAll(scores, score => count - 1 - Array.BinarySearch(order, 0, count, score));
    }
}
