using System.Numerics;

namespace MambaRT.Formats;

/// <summary>Merges that are listed.</summary>
/// <remarks>Open addressing with linear probing at most half full.</remarks>
internal sealed class MergeTable : IMerges
{
    private readonly ulong[] _pairs;
    private readonly int[] _ranks;
    private readonly int[] _results;
    private readonly int _mask;

    /// <param name="capacity">Most entries that will be added.</param>
    public MergeTable(int capacity)
    {
        int size = checked((int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(capacity, 8) * 2));
        _pairs = new ulong[size];
        _ranks = new int[size];
        _results = new int[size];
        _mask = size - 1;
        Array.Fill(_ranks, -1);
    }

    /// <summary>Reads a list of merges, lowest rank first: two parts with a space between. Those whose parts or result are no tokens are left out.</summary>
    /// <returns>The table, or null when there is no such key.</returns>
    /// <exception cref="FormatException">An element is not two parts.</exception>
    public static MergeTable? Read(GgufMetadata metadata, string key, Vocabulary vocabulary)
    {
        if (metadata.TryGetStrings(key) is not string[] merges) return null;
        var table = new MergeTable(merges.Length);
        for (int rank = 0; rank < merges.Length; rank++)
        {
            string merge = merges[rank];
            int space = merge.Length < 3 ? -1 : merge.IndexOf(' ', 1);   // a part is never empty, so the first character is no separator
            if (space < 0 || space == merge.Length - 1)
                throw new FormatException($"{metadata.Subject}: key '{key}' has '{Shorten(merge)}' at {rank}; two parts with a space between are needed. Re-convert the model.");
            if (merge.Length > Vocabulary.MaxSpelling + 1) continue;
            int left = vocabulary.Find(merge.AsSpan(0, space));
            int right = vocabulary.Find(merge.AsSpan(space + 1));
            int result = vocabulary.Find(merge.Remove(space, 1));
            if (left >= 0 && right >= 0 && result >= 0) table.Add(left, right, rank, result);
        }
        return table;
    }

    /// <summary>Adds a pair; the first rank given to it stays.</summary>
    /// <param name="left">Left symbol.</param>
    /// <param name="right">Right symbol.</param>
    /// <param name="rank">Order of merging, 0 or more, lowest first.</param>
    /// <param name="result">The token that they become.</param>
    public void Add(int left, int right, int rank, int result)
    {
        int slot = Slot(Pair(left, right));
        if (_ranks[slot] >= 0) return;
        _pairs[slot] = Pair(left, right);
        _ranks[slot] = rank;
        _results[slot] = result;
    }

    /// <inheritdoc/>
    public int Rank(int left, int right) => _ranks[Slot(Pair(left, right))];

    /// <inheritdoc/>
    public int Result(int left, int right) => _results[Slot(Pair(left, right))];

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "...";

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong pair)
    {
        ulong hash = pair * 0x9E3779B97F4A7C15;
        hash = (hash ^ (hash >> 32)) * 0xD6E8FEB86659FD93;
        int slot = (int)(hash >> 33) & _mask;
        while (_ranks[slot] >= 0 && _pairs[slot] != pair) slot = (slot + 1) & _mask;
        return slot;
    }
}
