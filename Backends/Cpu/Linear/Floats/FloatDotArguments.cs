namespace MambaRT.Backends.Cpu;

/// <summary>What dot products of float types read and write; strides are in bytes.</summary>
internal unsafe struct FloatDotArguments
{
    public byte* Weights;
    public long RowBytes;
    public float* X;
    public long XStride;
    public DotRows Rows;
}
