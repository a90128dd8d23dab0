namespace MambaRT.Sampling;

/// <summary>Keeps the k most likely tokens (Fan et al. 2018), ties by lower id, by selection rather than a full sort. Keeps no state.</summary>
public sealed class TopK : ISampler
{
    private readonly int _k;

    /// <summary>Makes the sampler.</summary>
    /// <param name="k">How many to keep; 0 or less keeps all.</param>
    public TopK(int k)
    {
        _k = k;
    }

    /// <summary>How many it keeps; 0 is all.</summary>
    internal int Count => Math.Max(_k, 0);

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        if (_k > 0) candidates.KeepTop(_k);
    }
}
