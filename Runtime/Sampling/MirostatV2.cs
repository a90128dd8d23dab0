namespace MambaRT.Sampling;

/// <summary>
/// Holds the surprise of the picked tokens near tau bits: drops tokens more surprising than mu, then moves mu by the error
/// of the token picked (Basu et al. 2020, version 2). Put it last in a chain. One thread at a time.
/// </summary>
public sealed class MirostatV2 : IStatefulSampler
{
    private readonly float _tau;
    private readonly float _eta;

    /// <summary>Makes the sampler; mu starts at twice tau.</summary>
    /// <param name="tau">The surprise to hold, in bits, 0 or more.</param>
    /// <param name="eta">The rate of learning, 0 or more.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public MirostatV2(float tau = 5f, float eta = 0.1f)
    {
        SamplingChecks.NotNegative(tau, nameof(tau));
        SamplingChecks.NotNegative(eta, nameof(eta));
        _tau = tau;
        _eta = eta;
        Mu = 2.0 * tau;
    }

    /// <summary>The largest surprise that passes at present, in bits.</summary>
    public double Mu { get; private set; }

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        candidates.Weigh(out var sum);
        if (sum == 0) return;
        var max = candidates.Logits[candidates.ArgMax()];

        // -log2(exp(logit - max) / sum) <= mu, solved for the logit; the most likely token always stays.
        var bar = max + Math.Log(sum) - Mu * Math.Log(2);
        candidates.KeepFrom((float)Math.Min(bar, max));
    }

    /// <inheritdoc/>
    public void Accept(int token, double probability) => Mu -= _eta * (-Math.Log2(probability) - _tau);

    /// <inheritdoc/>
    public void Reset() => Mu = 2.0 * _tau;

    /// <inheritdoc/>
    public IStatefulSampler Clone() => new MirostatV2(_tau, _eta) { Mu = Mu };
}
