namespace MambaRT.Sampling;

/// <summary>
/// Holds the surprise of the picked tokens near tau bits: estimates how fast probabilities fall with their rank (Zipf's exponent), keeps as
/// many tokens as a surprise of mu bits then takes, and moves mu by the error of the token picked (Basu et al. 2020). Put it last in a
/// chain. One thread at a time.
/// </summary>
public sealed class MirostatV1 : IStatefulSampler
{
    /// <summary>How many of the most likely tokens the exponent is estimated from, as in llama.cpp.</summary>
    private const int Observed = 100;

    private readonly float _tau;
    private readonly float _eta;

    /// <summary>Makes the sampler; mu starts at twice tau.</summary>
    /// <param name="tau">The surprise to hold, in bits, 0 or more.</param>
    /// <param name="eta">The rate of learning, 0 or more.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public MirostatV1(float tau = 5f, float eta = 0.1f)
    {
        SamplingChecks.NotNegative(tau, nameof(tau));
        SamplingChecks.NotNegative(eta, nameof(eta));
        _tau = tau;
        _eta = eta;
        Mu = 2.0 * tau;
    }

    /// <summary>The surprise that the kept tokens are sized for at present, in bits.</summary>
    public double Mu { get; private set; }

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        int all = candidates.Count;
        candidates.Sort();
        double kept = Size(Exponent(candidates.Logits), all);
        // Not a number where nothing can be estimated, as with a single candidate: then all stay.
        if (kept < all) candidates.Keep(0, Math.Max((int)kept, 1));
    }

    /// <inheritdoc/>
    public void Accept(int token, double probability) => Mu -= _eta * (-Math.Log2(probability) - _tau);

    /// <inheritdoc/>
    public void Reset() => Mu = 2.0 * _tau;

    /// <inheritdoc/>
    public IStatefulSampler Clone() => new MirostatV1(_tau, _eta) { Mu = Mu };

    /// <summary>Least squares of ln(p of rank i / p of rank i + 1) over ln((i + 1) / i); a difference of logits is such a logarithm.</summary>
    private static double Exponent(ReadOnlySpan<float> descending)
    {
        double products = 0, squares = 0;
        for (int i = 0; i + 1 < Math.Min(descending.Length, Observed) && !float.IsNegativeInfinity(descending[i + 1]); i++)
        {
            double ratio = Math.Log((i + 2.0) / (i + 1));
            products += ratio * ((double)descending[i] - descending[i + 1]);
            squares += ratio * ratio;
        }
        return products / squares;
    }

    /// <summary>How many tokens a Zipf law over <paramref name="all"/> of them needs for a surprise of mu.</summary>
    private double Size(double exponent, int all)
    {
        double excess = exponent - 1;
        double factor = Math.Abs(excess) < 1e-9 ? 1 / Math.Log(all) : excess / (1 - Math.Pow(all, -excess));   // its limit at 1
        return Math.Pow(factor * Math.Pow(2, Mu), 1 / exponent);
    }
}
