namespace MambaRT.Sampling;

/// <summary>Keeps the tokens at least p times as likely as the most likely one (Nguyen et al. 2024), in their order. Keeps no state.</summary>
public sealed class MinP : ISampler
{
    private readonly float _p;
    private readonly int _minKeep;

    /// <summary>Makes the sampler.</summary>
    /// <param name="p">The share of the largest probability, 0 to 1; 0 keeps all.</param>
    /// <param name="minKeep">The fewest tokens to keep, 1 or more.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public MinP(float p, int minKeep = 1)
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
        var top = candidates.ArgMax();
        if (_p <= 0 || top < 0) return;
        var bar = candidates.Logits[top] + MathF.Log(_p);
        var passing = 0;
        foreach (var logit in candidates.Logits)
        {
            if (logit >= bar) passing++;
        }

        if (passing < _minKeep) candidates.KeepTop(_minKeep);
        else candidates.KeepFrom(bar);
    }
}
