namespace MambaRT.Sampling;

/// <summary>A sampler that learns from what was picked. It belongs to one chain; one thread at a time.</summary>
public interface IStatefulSampler : ISampler
{
    /// <summary>Learns the token that was picked; must not allocate.</summary>
    /// <param name="token">The picked token.</param>
    /// <param name="probability">Its probability among the candidates left at the pick, in (0, 1].</param>
    void Accept(int token, double probability);

    /// <summary>Returns to the state after construction.</summary>
    void Reset();

    /// <summary>Copies the sampler with its present state.</summary>
    IStatefulSampler Clone();
}
