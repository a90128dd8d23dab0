namespace MambaRT.Backends.Cpu;

/// <summary>A mask register; k0 means no mask.</summary>
internal readonly record struct Mask(int Index)
{
    public static Mask None => default;

    /// <summary>The bits of the first <paramref name="count"/> of sixteen lanes; none for 0 or less.</summary>
    public static long OfLanes(int count) => count <= 0 ? 0 : (1L << Math.Min(count, 16)) - 1;
}
