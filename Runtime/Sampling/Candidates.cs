using System.Runtime.InteropServices;

namespace MambaRT.Sampling;

/// <summary>
/// The tokens that may still be picked, with their logits: what samplers shrink, reorder and rescale in place.
/// The spans belong to the chain that made them and are valid during one pick. One thread at a time.
/// </summary>
public ref struct Candidates
{
    private readonly Span<ulong> _scratch;
    private bool _sorted;

    /// <summary>Wraps the buffers of one pick.</summary>
    /// <param name="ids">The token of each candidate, no token twice.</param>
    /// <param name="logits">The logit of each candidate, no NaN.</param>
    /// <param name="scratch">Working space, at least as long as <paramref name="ids"/>.</param>
    /// <param name="history">The tokens so far, oldest first.</param>
    /// <param name="random">The chain's generator.</param>
    /// <exception cref="ArgumentException">The lengths do not fit each other.</exception>
    public Candidates(Span<int> ids, Span<float> logits, Span<ulong> scratch, ReadOnlySpan<int> history, Rng random)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (ids.Length != logits.Length || scratch.Length < ids.Length)
            throw new ArgumentException(
                $"Candidates need one logit and one scratch word a token; "
                + $"found {ids.Length} tokens, {logits.Length} logits and {scratch.Length} scratch words.");
        Ids = ids;
        Logits = logits;
        History = history;
        Random = random;
        _scratch = scratch;
    }

    /// <summary>The token of each candidate.</summary>
    public Span<int> Ids { get; private set; }

    /// <summary>The logit of each candidate, in the order of <see cref="Ids"/>; negative infinity is banned.</summary>
    public Span<float> Logits { get; private set; }

    /// <summary>The tokens so far, oldest first.</summary>
    public ReadOnlySpan<int> History { get; }

    /// <summary>The chain's generator, for samplers that act by chance.</summary>
    public Rng Random { get; }

    /// <summary>The number of candidates left.</summary>
    public readonly int Count => Ids.Length;

    /// <summary>Working space of <see cref="Count"/> words or more; what sorts, keeps the top or weighs overwrites it.</summary>
    public readonly Span<ulong> Scratch => _scratch;

    /// <summary>Finds the position of a token, or -1.</summary>
    /// <param name="token">The token to look for.</param>
    public readonly int IndexOf(int token) =>
        (uint)token < (uint)Ids.Length && Ids[token] == token ? token : Ids.IndexOf(token);

    /// <summary>Keeps <paramref name="count"/> candidates from position <paramref name="start"/> on, and drops the others.</summary>
    /// <param name="start">The first position to keep.</param>
    /// <param name="count">How many to keep.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range lies outside the candidates.</exception>
    public void Keep(int start, int count)
    {
        Ids = Ids.Slice(start, count);
        Logits = Logits.Slice(start, count);
    }

    /// <summary>Says that logits were changed in a way that may break a descending order.</summary>
    public void Disorder() => _sorted = false;

    /// <summary>Orders the candidates by logit, descending, ties by lower id.</summary>
    public void Sort()
    {
        if (!_sorted) KeepTop(Count);
    }

    /// <summary>Keeps the <paramref name="count"/> largest logits, ordered as <see cref="Sort"/> does, without sorting the others.</summary>
    /// <param name="count">How many to keep; more than there are keeps all.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    public void KeepTop(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        count = Math.Min(count, Count);
        if (!_sorted)
        {
            var best = _scratch[..count];
            TokenOrder.Select(Ids, Logits, best);
            for (var i = 0; i < count; i++)
            {
                Ids[i] = TokenOrder.Id(best[i]);
                Logits[i] = TokenOrder.Logit(best[i]);
            }
        }

        Keep(0, count);
        _sorted = true;
    }

    /// <summary>Keeps the candidates whose logit is a bar or more, in their order.</summary>
    /// <param name="bar">The least logit to keep.</param>
    public void KeepFrom(float bar)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (!(Logits[i] >= bar)) continue;
            Ids[kept] = Ids[i];
            Logits[kept++] = Logits[i];
        }

        Keep(0, kept);
    }

    /// <summary>Returns the position of the largest logit, of equals the lowest token; -1 when every candidate is banned.</summary>
    public readonly int ArgMax()
    {
        var best = -1;
        var bestLogit = float.NegativeInfinity;
        for (var i = 0; i < Logits.Length; i++)
        {
            if (Logits[i] < bestLogit || float.IsNegativeInfinity(Logits[i])) continue;
            if (Logits[i] == bestLogit && Ids[i] > Ids[best]) continue;
            best = i;
            bestLogit = Logits[i];
        }

        return best;
    }

    /// <summary>
    /// Computes exp(logit - largest logit) for each candidate into <see cref="Scratch"/>; weight / sum is its probability.
    /// </summary>
    /// <param name="sum">The sum of the weights, at least 1; 0 when every candidate is banned.</param>
    /// <returns>One weight a candidate; empty when every candidate is banned.</returns>
    public readonly Span<double> Weigh(out double sum)
    {
        sum = 0;
        var top = ArgMax();
        if (top < 0) return default;
        double max = Logits[top];
        var weights = MemoryMarshal.Cast<ulong, double>(_scratch)[..Count];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = Math.Exp(Logits[i] - max);
            sum += weights[i];
        }

        return weights;
    }
}
