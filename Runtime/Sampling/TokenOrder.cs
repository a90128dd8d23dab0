namespace MambaRT.Sampling;

/// <summary>
/// The order of tokens by logit, descending, ties by lower id, as one integer per token: the smaller key comes first.
/// High 32 bits: the logit, order-reversed; low 32 bits: the id. Integer keys sort without a comparer and without allocation.
/// </summary>
internal static class TokenOrder
{
    /// <summary>Makes the key of a token; a NaN must have been replaced before.</summary>
    public static ulong Key(float logit, int id) => ((ulong)~Ascending(logit) << 32) | (uint)id;

    /// <summary>Returns the id that a key was made of.</summary>
    public static int Id(ulong key) => (int)(uint)key;

    /// <summary>Returns the logit that a key was made of (a negative zero comes back as zero).</summary>
    public static float Logit(ulong key)
    {
        var bits = ~(uint)(key >> 32);
        return BitConverter.UInt32BitsToSingle((bits & 0x80000000u) != 0 ? bits & 0x7FFFFFFFu : ~bits);
    }

    /// <summary>Maps a float to an unsigned integer of the same order.</summary>
    public static uint Ascending(float value)
    {
        // Adding zero turns -0 into +0, which must tie.
        var bits = BitConverter.SingleToUInt32Bits(value + 0f);
        return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
    }

    /// <summary>
    /// Writes the keys of the first <c>best.Length</c> tokens in order, without sorting the others.
    /// </summary>
    /// <param name="ids">The token of each logit; empty when the position is the token.</param>
    /// <param name="logits">One logit a token; a NaN counts as negative infinity.</param>
    /// <param name="best">Receives the keys; at most as long as the logits.</param>
    public static void Select(ReadOnlySpan<int> ids, ReadOnlySpan<float> logits, Span<ulong> best)
    {
        if (best.IsEmpty) return;
        for (var i = 0; i < best.Length; i++) best[i] = KeyAt(ids, logits, i);

        if (best.Length < logits.Length)
        {
            // A max-heap of the best so far: its root is the key to beat.
            for (var i = best.Length / 2 - 1; i >= 0; i--) SiftDown(best, i);
            var bar = Logit(best[0]);
            for (var i = best.Length; i < logits.Length; i++)
            {
                if (!(logits[i] >= bar)) continue;
                var key = KeyAt(ids, logits, i);
                if (key >= best[0]) continue;
                best[0] = key;
                SiftDown(best, 0);
                bar = Logit(best[0]);
            }
        }

        best.Sort();
    }

    private static ulong KeyAt(ReadOnlySpan<int> ids, ReadOnlySpan<float> logits, int index)
    {
        var logit = logits[index];
        return Key(float.IsNaN(logit) ? float.NegativeInfinity : logit, ids.IsEmpty ? index : ids[index]);
    }

    private static void SiftDown(Span<ulong> heap, int root)
    {
        var value = heap[root];
        while (true)
        {
            var child = 2 * root + 1;
            if (child >= heap.Length) break;
            if (child + 1 < heap.Length && heap[child + 1] > heap[child]) child++;
            if (heap[child] <= value) break;
            heap[root] = heap[child];
            root = child;
        }

        heap[root] = value;
    }
}
