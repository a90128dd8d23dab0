namespace MambaRT.Backends.Cuda;

/// <summary>How work is dealt out in a launch.</summary>
internal static class Grid
{
    /// <summary>Pieces of <paramref name="size"/> that cover <paramref name="count"/>, the last perhaps in part.</summary>
    public static int Parts(int count, int size) => (count + size - 1) / size;
}
