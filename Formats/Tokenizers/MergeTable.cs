using System.Numerics;

namespace MambaRT.Formats;

/// <summary>What two neighbouring symbols become, and how early.</summary>
/// <remarks>Open addressing with linear probing at most half full. A symbol is a token id, or the complement of a byte or code point that is no token.</remarks>
internal sealed class MergeTable
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

    /// <summary>Rank of a pair, or −1 when it does not merge.</summary>
    public int Rank(int left, int right) => _ranks[Slot(Pair(left, right))];

    /// <summary>What a pair that merges becomes.</summary>
    public int Result(int left, int right) => _results[Slot(Pair(left, right))];

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
