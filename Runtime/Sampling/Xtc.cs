namespace MambaRT.Sampling;

/// <summary>
/// "Exclude top choices": by chance, drops every token at or above the threshold but the least likely of them, as llama.cpp does.
/// Draws from the chain's generator; keeps no state.
/// </summary>
public sealed class Xtc : ISampler
{
    private readonly float _probability;
    private readonly float _threshold;
    private readonly int _minKeep;

    /// <summary>Makes the sampler.</summary>
    /// <param name="probability">How often it acts, 0 to 1; 0 never.</param>
    /// <param name="threshold">The probability that makes a token a top choice, 0 to 1; above 0.5 there can be no two of them.</param>
    /// <param name="minKeep">The fewest tokens to leave; it does not act when fewer would remain.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public Xtc(float probability, float threshold = 0.1f, int minKeep = 1)
    {
        SamplingChecks.Probability(probability, nameof(probability));
        SamplingChecks.Probability(threshold, nameof(threshold));
        SamplingChecks.MinKeep(minKeep);
        _probability = probability;
        _threshold = threshold;
        _minKeep = minKeep;
    }

    /// <summary>Whether it never does anything.</summary>
    internal bool IsIdle => _probability <= 0 || _threshold > 0.5f;

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        if (IsIdle || candidates.Count < 2) return;
        if (candidates.Random.NextDouble() >= _probability) return;

        candidates.Sort();
        var weights = candidates.Weigh(out var sum);
        var last = 0;
        // A banned token is no choice, whatever the threshold.
        for (var i = 1; i < weights.Length && weights[i] > 0 && weights[i] >= _threshold * sum; i++) last = i;
        if (last > 0 && candidates.Count - last >= _minKeep) candidates.Keep(last, candidates.Count - last);
    }
}
