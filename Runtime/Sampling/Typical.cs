namespace MambaRT.Sampling;

/// <summary>
/// Keeps the tokens whose surprise is nearest to the entropy, until their probabilities sum to more than p
/// (Meister et al. 2022). Leaves them ordered by logit. Keeps no state.
/// </summary>
public sealed class Typical : ISampler
{
    private readonly float _p;
    private readonly int _minKeep;

    /// <summary>Makes the sampler.</summary>
    /// <param name="p">The probability to cover, 0 to 1; 1 keeps all.</param>
    /// <param name="minKeep">The fewest tokens to keep, 1 or more.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public Typical(float p, int minKeep = 1)
    {
        SamplingChecks.Probability(p, nameof(p));
        SamplingChecks.MinKeep(minKeep);
        _p = p;
        _minKeep = minKeep;
    }

    /// <summary>Whether it never does anything.</summary>
    internal bool IsIdle => _p >= 1;

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        if (IsIdle) return;
        candidates.Sort();
        var weights = candidates.Weigh(out var sum);
        if (weights.IsEmpty) return;

        var entropy = 0.0;
        foreach (var weight in weights)
        {
            var p = weight / sum;
            if (p > 0) entropy -= p * Math.Log(p);
        }

        // A word holds first a weight, then a key: distance from the entropy above, position below.
        var keys = candidates.Scratch[..candidates.Count];
        for (var i = 0; i < keys.Length; i++)
        {
            var distance = (float)Math.Abs(-Math.Log(weights[i] / sum) - entropy);
            keys[i] = ((ulong)TokenOrder.Ascending(distance) << 32) | (uint)i;
        }

        keys.Sort();
        KeepFirst(ref candidates, keys[..Cover(candidates, keys, sum)]);
    }

    private int Cover(in Candidates candidates, ReadOnlySpan<ulong> keys, double sum)
    {
        double max = candidates.Logits[0];
        var covered = 0.0;
        for (var i = 0; i < keys.Length; i++)
        {
            covered += Math.Exp(candidates.Logits[(int)(uint)keys[i]] - max);
            if (covered > _p * sum && i + 1 >= _minKeep) return i + 1;
        }

        return keys.Length;
    }

    private static void KeepFirst(ref Candidates candidates, Span<ulong> keys)
    {
        // Ascending positions never lie before the place they move to, so the move is safe in place.
        for (var i = 0; i < keys.Length; i++) keys[i] = (uint)keys[i];
        keys.Sort();
        for (var i = 0; i < keys.Length; i++)
        {
            candidates.Ids[i] = candidates.Ids[(int)keys[i]];
            candidates.Logits[i] = candidates.Logits[(int)keys[i]];
        }

        candidates.Keep(0, keys.Length);
    }
}
