using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cuda;

// Structures in those that kernels take (KernelArguments.cs), field for field as in Shaders/cuda: a device pointer is a ulong, null is 0.

/// <summary>Batch in common.h: where the table of the running batch lies.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BatchPointers
{
    public ulong Counts, Tokens, SequenceOf, OutputRows, Slots, Starts, Lengths;
}

/// <summary>Matrix in common.h: rows of float32 at a stride.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MatrixPointer
{
    public ulong Data;
    public int Stride, Width;

    /// <summary>Whether rows can be accessed sixteen bytes at once.</summary>
    public readonly bool IsWide => Data % 16 == 0 && Stride % 4 == 0;
}

/// <summary>Weights in formats.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WeightPointer
{
    public ulong Data, Scales;
    public int Rows, Columns;
    public long Stride;
}

/// <summary>Rounded in activations.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RoundedPointer
{
    public ulong Values, Scales;
    public int Blocks;
}

/// <summary>Halves in halves.h: rows of floats of 16 bits at a stride.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HalfPointer
{
    public ulong Data;
    public int Stride;
}

/// <summary>Rounding in halves.h: what an output is rounded to; no data for nothing.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RoundingPointer
{
    public HalfPointer To;
    public HalfKind Kind;
    public int Only;
}

/// <summary>Parted in parts.h: where the parts of a matrix go; no data for nowhere.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PartedPointer
{
    public HalfPointer To;
    public ulong Back;
    public int Apart, Count, Only;
}

/// <summary>HalfKind in halves.h.</summary>
internal enum HalfKind
{
    /// <summary>F16.</summary>
    Half,
    /// <summary>BF16.</summary>
    Bfloat,
    /// <summary>F16 of what is rounded to 8 bits first, as products of few rows by quantized weights read it.</summary>
    Rounded,
}

/// <summary>Taps in ssd_taps.h: a convolution that the scan does itself.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TapsPointer
{
    public ulong Weight, Bias;
    public long Window;
}

/// <summary>Parts in linear.h: the sums of a split product.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PartsPointer
{
    public ulong Data;
    public int Rows, Stride, Splits;
}

/// <summary>Scaled in linear.h: of factors that are sums of halves.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ScaledPointer
{
    public ulong Rows, Outputs;
    public int Apart;
}
