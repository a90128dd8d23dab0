namespace MambaRT.Sampling;

/// <summary>Adds a fixed number to the logits of chosen tokens; negative infinity bans a token. Keeps no state.</summary>
public sealed class LogitBias : ISampler
{
    private readonly int[] _tokens;
    private readonly float[] _biases;

    /// <summary>Makes the sampler from a copy of the given biases.</summary>
    /// <param name="biases">Token to bias; tokens outside the vocabulary are ignored.</param>
    /// <exception cref="ArgumentException">A token is negative, or a bias is NaN or positive infinity.</exception>
    public LogitBias(IReadOnlyDictionary<int, float> biases)
    {
        ArgumentNullException.ThrowIfNull(biases);
        Validate(biases);
        _tokens = [.. biases.Keys];
        _biases = new float[_tokens.Length];
        for (var i = 0; i < _tokens.Length; i++) _biases[i] = biases[_tokens[i]];
    }

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        for (var i = 0; i < _tokens.Length; i++)
        {
            var at = candidates.IndexOf(_tokens[i]);
            if (at >= 0) candidates.Logits[at] = Math.Min(candidates.Logits[at] + _biases[i], float.MaxValue);
        }

        candidates.Disorder();
    }

    /// <summary>Refuses tokens and biases that mean nothing.</summary>
    internal static void Validate(IReadOnlyDictionary<int, float> biases)
    {
        foreach (var (token, bias) in biases)
        {
            if (token < 0)
                throw new ArgumentException($"A logit bias needs a token id of 0 or more; found {token}.", nameof(biases));
            if (float.IsNaN(bias) || float.IsPositiveInfinity(bias))
                throw new ArgumentException(
                    $"The logit bias of token {token} must be a finite number, or negative infinity to ban it; found {bias}.", nameof(biases));
        }
    }
}
