namespace MambaRT.Sampling;

/// <summary>Chains that a <see cref="TokenPick"/> says too: they can pick on the device.</summary>
internal static class PickOfChain
{
    /// <summary>The pick of a chain that has the filters of <see cref="TokenPick"/> in their order and else none that does anything; null for any other.</summary>
    /// <param name="steps">The samplers, first to last.</param>
    /// <param name="seed">Names the random numbers.</param>
    public static TokenPick? Of(ReadOnlySpan<ISampler> steps, ulong seed)
    {
        var pick = new TokenPick(1, Seed: seed);
        int filters = 0;   // up to here in their order
        foreach (ISampler step in steps)
        {
            switch (step)
            {
                case Penalties { IsIdle: true } or Typical { IsIdle: true } or Xtc { IsIdle: true }:
                    break;
                case TopK top when filters < 1:
                    (pick, filters) = (pick with { TopK = top.Count }, 1);
                    break;
                case TopP { MinKeep: 1 } top when filters < 2:
                    (pick, filters) = (top.Share > 0 ? pick with { TopP = top.Share } : pick with { TopK = 1 }, 2);
                    break;
                case MinP { MinKeep: 1 } least when filters < 3:
                    (pick, filters) = (pick with { MinP = least.Share }, 3);
                    break;
                case Temperature temperature when filters < 4:
                    (pick, filters) = (pick with { Temperature = temperature.Value }, 4);
                    break;
                case Greedy when filters < 4:
                    (pick, filters) = (pick with { Temperature = 0 }, 4);
                    break;
                default:
                    return null;
            }
        }
        return pick;
    }
}
