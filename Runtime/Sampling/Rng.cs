namespace MambaRT.Sampling;

/// <summary>
/// A small seeded generator (PCG-XSH-RR 64/32, stream 54), so that a run can be repeated on every machine.
/// Source: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms" (2014).
/// Not for secrets. One thread at a time.
/// </summary>
public sealed class Rng
{
    private const ulong Multiplier = 6364136223846793005UL;
    private const ulong Increment = (54UL << 1) | 1UL;

    private ulong _state;

    /// <summary>Starts the sequence that belongs to a seed.</summary>
    /// <param name="seed">Any number; equal seeds give equal sequences.</param>
    public Rng(ulong seed)
    {
        _state = unchecked((Increment + seed) * Multiplier + Increment);
    }

    private Rng()
    {
    }

    /// <summary>Returns the next 32 uniformly distributed bits.</summary>
    public uint NextUInt32()
    {
        var old = _state;
        _state = unchecked(old * Multiplier + Increment);
        var mixed = (uint)(((old >> 18) ^ old) >> 27);
        return uint.RotateRight(mixed, (int)(old >> 59));
    }

    /// <summary>Returns the next uniform number in [0, 1), a multiple of 2^-32.</summary>
    public double NextDouble() => NextUInt32() * (1.0 / 4294967296.0);

    /// <summary>Copies the generator: both give the same numbers from here on, independently of each other.</summary>
    public Rng Clone() => new() { _state = _state };
}
