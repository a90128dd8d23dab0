namespace MambaRT.Backends.Cpu;

/// <summary>What a pass over some tokens reads and writes; strides are in bytes, and a bit of a mask is a row that exists.</summary>
internal unsafe struct SsdScanArguments
{
    public float* X, Y, B, C, Ahead;
    public long XStride, YStride, BStride, CStride, AheadStride;
    public float* InScales, SkipScales, OutScales, Factors;
    public long* Counts;
    public long Segments;
    public float* Between, H, LastFactor;
    public long FirstMask, SecondMask;
}
