namespace MambaRT.Runtime;

/// <summary>Keeps the fewest most likely tokens whose probabilities sum to p or more (Holtzman et al. 2019). Keeps no state.</summary>
public sealed class TopP : ISampler
{
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

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        if (_p >= 1) return;
        candidates.Sort();
        var weights = candidates.Weigh(out var sum);
        var covered = 0.0;
        for (var i = 0; i < weights.Length; i++)
        {
            covered += weights[i];
            if (covered < _p * sum || i + 1 < _minKeep) continue;
            candidates.Keep(0, i + 1);
            return;
        }
    }
}
