namespace MambaRT.Devices;

/// <summary>
/// Philox 4×32-10: random numbers by counter, so that any device finds the n-th of a seed without those before.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011). Not for secrets; thread-safe.
/// </summary>
public static class CounterRandom
{
    private const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;

    /// <summary>64 uniform bits: the first two words of the block whose key is <paramref name="seed"/> and whose counter is <paramref name="position"/>, low words first.</summary>
    public static ulong Next(ulong seed, long position)
    {
        (uint x0, uint x1, _, _) = Block((uint)seed, (uint)(seed >> 32), (uint)position, (uint)((ulong)position >> 32), 0, 0);
        return (ulong)x1 << 32 | x0;
    }

    /// <summary>One block of four words.</summary>
    internal static (uint, uint, uint, uint) Block(uint k0, uint k1, uint c0, uint c1, uint c2, uint c3)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)M0 * c0, p1 = (ulong)M1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 = unchecked(k0 + W0);
            k1 = unchecked(k1 + W1);
        }
        return (c0, c1, c2, c3);
    }
}
