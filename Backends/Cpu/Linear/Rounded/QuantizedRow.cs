namespace MambaRT.Backends.Cpu;

/// <summary>One row of <see cref="QuantizedRows"/>.</summary>
/// <param name="values">[blocks · 32] q.</param>
/// <param name="scales">[blocks]: value = scale·q.</param>
/// <param name="starts">[blocks] −128·Σq of a block: what takes 128 off every weight.</param>
/// <param name="starts16">[2 · blocks] the same of half blocks.</param>
/// <param name="sums">[blocks] scale·Σq of a block.</param>
/// <param name="sums16">[2 · blocks] the same of half blocks.</param>
internal readonly unsafe struct QuantizedRow(sbyte* values, float* scales, int* starts, int* starts16, float* sums, float* sums16)
{
    public readonly sbyte* Values = values;
    public readonly float* Scales = scales;
    public readonly int* Starts32 = starts, Starts16 = starts16;
    public readonly float* Sums32 = sums, Sums16 = sums16;
}
