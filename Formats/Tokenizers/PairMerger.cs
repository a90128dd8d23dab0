namespace MambaRT.Formats;

/// <summary>Merges the symbols of a word in order of rank, leftmost first, until no pair merges.</summary>
/// <remarks>
/// Short words look for the lowest rank again after each merge; long ones keep a heap of ranks over a linked list, O(n log n).
/// Holds working storage: one instance for one thread at a time.
/// </remarks>
internal sealed class PairMerger(IMerges table)
{
    private const int ShortWord = 32;
    private const int None = int.MaxValue;

    private readonly int[] _shortRanks = new int[ShortWord];
    private int[] _previous = [];
    private int[] _next = [];
    private int[] _rankAt = [];     // of the symbol here and the one after it, or None
    private ulong[] _heap = [];     // rank in the high half, position in the low one; stale unless the rank is still _rankAt
    private int _heapCount;

    /// <summary>Merges in place.</summary>
    /// <param name="symbols">Initial symbols of one word; the first ones are replaced by the result.</param>
    /// <returns>Number of symbols left.</returns>
    public int Merge(Span<int> symbols) => symbols.Length <= ShortWord ? MergeShort(symbols) : MergeLong(symbols);

    private int MergeShort(Span<int> symbols)
    {
        int count = symbols.Length;
        Span<int> ranks = _shortRanks;
        for (int i = 0; i + 1 < count; i++) ranks[i] = RankOf(symbols[i], symbols[i + 1]);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best]) best = i;
            }
            if (ranks[best] == None) break;
            symbols[best] = table.Result(symbols[best], symbols[best + 1]);
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            ranks[(best + 1)..count].CopyTo(ranks[best..]);
            count--;
            if (best + 1 < count) ranks[best] = RankOf(symbols[best], symbols[best + 1]);
            if (best > 0) ranks[best - 1] = RankOf(symbols[best - 1], symbols[best]);
        }
        return count;
    }

    private int MergeLong(Span<int> symbols)
    {
        Link(symbols);
        while (_heapCount > 0)
        {
            ulong top = Pop();
            int left = (int)(uint)top;
            if (_rankAt[left] != (int)(top >> 32)) continue;
            int right = _next[left];
            symbols[left] = table.Result(symbols[left], symbols[right]);
            int after = _next[right];
            _next[left] = after;
            _rankAt[right] = None;
            if (after >= 0) _previous[after] = left;
            Propose(symbols, left, after);
            if (_previous[left] >= 0) Propose(symbols, _previous[left], left);
        }
        int count = 0;
        for (int i = 0; i >= 0; i = _next[i]) symbols[count++] = symbols[i];
        return count;
    }

    private void Link(ReadOnlySpan<int> symbols)
    {
        int count = symbols.Length;
        if (_next.Length < count)
        {
            _previous = new int[count];
            _next = new int[count];
            _rankAt = new int[count];
            _heap = new ulong[count];
        }
        _heapCount = 0;
        for (int i = 0; i < count; i++)
        {
            _previous[i] = i - 1;
            _next[i] = i + 1 < count ? i + 1 : -1;
            _rankAt[i] = i + 1 < count ? RankOf(symbols[i], symbols[i + 1]) : None;
            if (_rankAt[i] != None) _heap[_heapCount++] = Key(_rankAt[i], i);
        }
        for (int i = _heapCount / 2 - 1; i >= 0; i--) SiftDown(i);
    }

    private void Propose(ReadOnlySpan<int> symbols, int left, int right)
    {
        int rank = right < 0 ? None : RankOf(symbols[left], symbols[right]);
        _rankAt[left] = rank;
        if (rank == None) return;
        if (_heapCount == _heap.Length) Array.Resize(ref _heap, checked(_heapCount * 2));
        int hole = _heapCount++;
        ulong key = Key(rank, left);
        while (hole > 0 && _heap[(hole - 1) / 2] > key)
        {
            _heap[hole] = _heap[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }
        _heap[hole] = key;
    }

    private ulong Pop()
    {
        ulong top = _heap[0];
        _heap[0] = _heap[--_heapCount];
        SiftDown(0);
        return top;
    }

    private void SiftDown(int hole)
    {
        ulong key = _heap[hole];
        for (int child = 2 * hole + 1; child < _heapCount; child = 2 * hole + 1)
        {
            if (child + 1 < _heapCount && _heap[child + 1] < _heap[child]) child++;
            if (_heap[child] >= key) break;
            _heap[hole] = _heap[child];
            hole = child;
        }
        _heap[hole] = key;
    }

    private static ulong Key(int rank, int position) => ((ulong)(uint)rank << 32) | (uint)position;

    private int RankOf(int left, int right)
    {
        int rank = table.Rank(left, right);
        return rank < 0 ? None : rank;
    }
}
