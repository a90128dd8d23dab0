namespace MambaRT.Backends.Cpu;

/// <summary>What transposed dot products read and write.</summary>
internal unsafe struct TransposedDotArguments
{
    public byte* Weights;
    public sbyte* Values;

    /// <summary>Sums of the activations for a type with an offset, else starts, by groups.</summary>
    public void* Beside;

    public float* Scales, Y;
    public byte* Scratch;
    public long YStride;
}
