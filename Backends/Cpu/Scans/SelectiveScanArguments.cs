namespace MambaRT.Backends.Cpu;

/// <summary>What the selective scan of sixteen channels reads and writes; strides are in bytes, and a bit of the mask is a channel that exists.</summary>
internal unsafe struct SelectiveScanArguments
{
    public float* U, Dt, Z, Y, B, C;
    public long UStride, DtStride, ZStride, YStride, BStride, CStride;
    public float* H, A, D, DtBias;
    public long Rows, LaneMask;

    /// <summary>[rows, lanes], between the passes.</summary>
    public float* Scratch;
}
