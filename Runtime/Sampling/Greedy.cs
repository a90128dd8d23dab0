namespace MambaRT.Sampling;

/// <summary>Keeps the most likely token alone, of equals the lowest id. Keeps no state.</summary>
public sealed class Greedy : ISampler
{
    /// <inheritdoc/>
    public void Apply(ref Candidates candidates) => KeepBest(ref candidates);

    /// <summary>Keeps the most likely candidate; leaves all when all are banned.</summary>
    internal static void KeepBest(ref Candidates candidates)
    {
        var top = candidates.ArgMax();
        if (top >= 0) candidates.Keep(top, 1);
    }
}
