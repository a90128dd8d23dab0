namespace MambaRT.Backends.Cpu;

/// <summary>What one token reads and writes for up to sixteen rows of a head; a bit of the mask is a row that exists.</summary>
internal unsafe struct SsdTokenArguments
{
    public float* X, Y, B, C, H;
    public float* Delta, Decay, D;
    public long LaneMask;
}
