using System.Runtime.InteropServices;

namespace MambaRT.Backends.Vulkan;

// What shaders are pushed, field for field as in Shaders/glsl.

/// <summary>Rows in common.glsl.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Rows
{
    public uint At, Stride;
}

/// <summary>Weights in weights.glsl.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PushedWeights
{
    public uint RowBytes, RowScaleBytes, Columns, First, Count;
}

[StructLayout(LayoutKind.Sequential)]
internal struct EmbedPush
{
    public PushedWeights Table;
    public Rows To;
    public float Scale;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinearPush
{
    public PushedWeights Weights;
    public Rows From, Gate, Residual, To, U;
    public float Scale, Epsilon;
    public uint Domain, Selects, HasBias, Adds, ConvFirst, Channels;
}

[StructLayout(LayoutKind.Sequential)]
internal struct TilesPush
{
    public PushedWeights Weights;
    public Rows From, Residual, To;
    public float Scale;
    public uint Domain, HasBias, Adds;
}

[StructLayout(LayoutKind.Sequential)]
internal struct HalvePush
{
    public Rows From;
    public uint Width, Stride, Domain;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DequantizePush
{
    public PushedWeights Weights;
}

[StructLayout(LayoutKind.Sequential)]
internal struct StepPush
{
    public PushedWeights Weights;
    public Rows U, Dt, B, C, Z, To;
    public uint Channels, HeadDim, HeadsOfGroup;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NormPush
{
    public Rows From, Gate, To;
    public uint Width, Domain, HalvesStride;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ConvPush
{
    public Rows From, To;
    public uint Channels, HasBias, HalvesStride;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ScanPush
{
    public Rows U, Dt, B, C, Z, To;
    public uint Channels, HeadDim, HeadsOfGroup, HalvesStride;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SelectPush
{
    public Rows From, To;
    public uint Width;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ResolvePush
{
    public int LastPick;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PickPush
{
    public uint Vocabulary, Tokens, Unused, Ends, SequencesAtMost;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RelayPush
{
    public uint MostPolls, Phases, LogitsLow, LogitsHigh, Values;
}
