namespace MambaRT.Backends.Cpu;

/// <summary>Weight rows in one or two streams, and where their sums go; distances are in bytes.</summary>
internal unsafe struct DotRows
{
    public long Count, Second;
    public float* Y;
    public long YStride, YSecond;

    /// <summary>The two halves of <paramref name="count"/> rows; y[t·stride + i] for activation row t and weight row i.</summary>
    public static DotRows Halves(int count, long rowBytes, float* y, int stride) => new()
    {
        Count = count / 2, Second = count / 2 * rowBytes, Y = y, YStride = (long)stride * sizeof(float), YSecond = count / 2 * sizeof(float),
    };

    /// <summary>All rows in one stream; or one row, which both streams take.</summary>
    public static DotRows All(int count, float* y, int stride) => new() { Count = count, Y = y, YStride = (long)stride * sizeof(float) };
}
