namespace MambaRT.Sampling;

/// <summary>Divides the logits by a temperature: below 1 sharpens, above 1 flattens, 0 keeps the most likely token alone. Keeps no state.</summary>
public sealed class Temperature : ISampler
{
    private readonly float _temperature;

    /// <summary>Makes the sampler.</summary>
    /// <param name="temperature">The temperature, 0 or more.</param>
    /// <exception cref="ArgumentException">The temperature is negative or not finite.</exception>
    public Temperature(float temperature)
    {
        SamplingChecks.NotNegative(temperature, nameof(temperature));
        _temperature = temperature;
    }

    /// <summary>The temperature.</summary>
    internal float Value => _temperature;

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        if (_temperature == 0)
        {
            Greedy.KeepBest(ref candidates);
            return;
        }

        // Measured from the top, no quotient can overflow upwards, and the distribution is the same.
        var top = candidates.ArgMax();
        if (top < 0 || _temperature == 1) return;
        var max = candidates.Logits[top];
        foreach (ref var logit in candidates.Logits) logit = (logit - max) / _temperature;
    }
}
