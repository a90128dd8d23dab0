namespace MambaRT.Sampling;

/// <summary>Keeps the fewest most likely tokens whose probabilities sum to p or more (Holtzman et al. 2019). Keeps no state.</summary>
public sealed class TopP : ISampler
{
    // More than the rounding of a logit as large as models give.
    private const double Margin = 0.01;

    private readonly float _p;
    private readonly int _minKeep;

    /// <summary>Makes the sampler.</summary>
    /// <param name="p">The probability to cover, 0 to 1; 1 keeps all, 0 the most likely token.</param>
    /// <param name="minKeep">The fewest tokens to keep, 1 or more.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public TopP(float p, int minKeep = 1)
    {
        SamplingChecks.Probability(p, nameof(p));
        SamplingChecks.MinKeep(minKeep);
        _p = p;
        _minKeep = minKeep;
    }

    /// <summary>The share.</summary>
    internal float Share => _p;

    /// <summary>The fewest tokens it keeps.</summary>
    internal int MinKeep => _minKeep;

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        if (_p >= 1) return;
        candidates.Weigh(out var sum);
        if (sum == 0) return;
        double max = candidates.Logits[candidates.ArgMax()];
        DropTail(ref candidates, max, sum);
        candidates.Sort();

        var covered = 0.0;
        for (var i = 0; i < candidates.Count; i++)
        {
            covered += Math.Exp(candidates.Logits[i] - max);
            if (covered < _p * sum || i + 1 < _minKeep) continue;
            candidates.Keep(0, i + 1);
            return;
        }
    }

    /// <summary>
    /// Drops tokens that cannot be needed, so that few are left to sort: n tokens below (1 - p) / n each hold less than 1 - p together.
    /// </summary>
    private void DropTail(ref Candidates candidates, double max, double sum)
    {
        var bar = (float)(max + Math.Log((1.0 - _p) * sum / candidates.Count) - Margin);
        var passing = 0;
        foreach (var logit in candidates.Logits)
        {
            if (logit >= bar) passing++;
        }

        if (passing >= _minKeep) candidates.KeepFrom(bar);
    }
}
