namespace MambaRT.Backends.Cpu;

/// <summary>What dot products of decode read and write.</summary>
internal unsafe struct DotArguments
{
    public byte* Weights;
    public long RowBytes;
    public sbyte* Values;
    public int* Starts;
    public DotRows Rows;
}
