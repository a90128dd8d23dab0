namespace MambaRT.Backends.Cpu;

/// <summary>What the code that rounds activations reads and writes; pointers are at the first row's first block.</summary>
internal unsafe struct QuantizeArguments
{
    public float* X;
    public sbyte* Values;
    public float* Scales;
    public int* Starts, Starts16;
    public float* Sums, Sums16;
    public long XStride, Rows, Blocks;

    /// <summary>The row of <see cref="RowLanes"/>, and four times the number of the first block in it.</summary>
    public byte* Lanes;
    public long LanesBlock;
}
