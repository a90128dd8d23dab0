namespace MambaRT.Backends.Cpu;

/// <summary>How far apart the rows of a value lie in this backend's arena: an odd number of cache lines.</summary>
/// <remarks>
/// Scans and convolutions go down the rows of a few columns. The widths of models are powers of two or small multiples of them, so their rows would meet in
/// a handful of a cache's sets, and a store would look like the load of another row to a processor that compares the low twelve bits.
/// </remarks>
internal static class ArenaRows
{
    private const int Line = 64 / sizeof(float);

    /// <summary>Floats from one row of a value to the next.</summary>
    public static int Stride(int width) => ((width + Line - 1) / Line | 1) * Line;
}
