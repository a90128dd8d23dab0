using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cuda;

// The structures that kernels take, field for field as in Shaders/cuda: a device pointer is a ulong, null is 0.

/// <summary>Pick in common.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PickRecord
{
    public ulong Random, Home;
    public float Scale, TopP;
    public int TopK;
    public uint Least;
    public int Row, Hidden;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PickArguments
{
    public BatchPointers Batch;
    public ulong Picks;
    public MatrixPointer Logits;
    public ulong Hidden;
    public int Tokens, Unused, Ends;
    public long Last;
    public ulong Picked, NotFinite;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PauseArguments
{
    public long Nanoseconds;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ReadPeakArguments
{
    public ulong Data, Out;
    public long Count;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ProductPeakArguments
{
    public ulong Out;
    public int Steps;
}

[StructLayout(LayoutKind.Sequential)]
internal struct EmbedArguments
{
    public BatchPointers Batch;
    public WeightPointer Table;
    public MatrixPointer Y;
    public ulong Picks;
    public long Last;
    public ulong Scratch, From, To;
    public int Parts, Single;
    public float Scale;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SelectArguments
{
    public BatchPointers Batch;
    public MatrixPointer X, Y;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NormArguments
{
    public BatchPointers Batch;
    public MatrixPointer X, Z, Y;
    public ulong Weight;
    public float Epsilon;
    public int Rows, Groups;
    public RoundingPointer Half;
    public PartedPointer Parts;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ConvArguments
{
    public BatchPointers Batch;
    public MatrixPointer X, Y;
    public ulong Weight, Bias;
    public long Window;
    public int Taps;
    public RoundingPointer Half;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ScanArguments
{
    public BatchPointers Batch;
    public MatrixPointer U, Dt, B, C, Z, Y;
    public ulong A, D, Bias;
    public long State;
    public int States, Wide;
    public RoundingPointer Half;
}

[StructLayout(LayoutKind.Sequential)]
internal struct BatchScanArguments
{
    public BatchPointers Batch;
    public WeightPointer Weights;
    public MatrixPointer Dt, U, B, C, Z, Y;
    public ulong A, D, Bias;
    public long State;
    public RoundingPointer Half;
    public int Normed;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SsdArguments
{
    public BatchPointers Batch;
    public MatrixPointer X, Dt, B, C, Y;
    public ulong A, D, Bias;
    public long State;
    public int Heads, HeadDim, Groups, States, Wide;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SsdChunkArguments
{
    public SsdArguments Scan;
    public ulong Parts, Pairs, Back, Times;
    public int PairBlocks, Rows;
    public TapsPointer TapsOfX, TapsOfB, TapsOfC;
}

[StructLayout(LayoutKind.Sequential)]
internal struct QuantizeArguments
{
    public BatchPointers Batch;
    public MatrixPointer X;
    public RoundedPointer Y;
    public int Rows;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinearArguments
{
    public BatchPointers Batch;
    public WeightPointer Weights;
    public MatrixPointer X;
    public RoundedPointer Rounded;
    public MatrixPointer AddTo, Y;
    public ulong Bias;
    public float Scale;
    public int Rows, Pairs;
    public RoundingPointer Half;
}

[StructLayout(LayoutKind.Sequential)]
internal struct HalveArguments
{
    public BatchPointers Batch;
    public MatrixPointer X;
    public RoundingPointer Half;
    public int Rows, Wide;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DequantizeArguments
{
    public WeightPointer From;
    public ulong To;
    public PartedPointer Parts;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PartsArguments
{
    public LinearArguments Linear;
    public PartsPointer Parts;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SplitArguments
{
    public BatchPointers Batch;
    public MatrixPointer X;
    public PartedPointer To;
    public int Rows, Wide, Rounded;
}

[StructLayout(LayoutKind.Sequential)]
internal struct TensorArguments
{
    public LinearArguments Linear;
    public HalfPointer X;
    public PartsPointer Parts;
    public int RowTiles, Stored, Wide;
    public ulong Arrived, NotFinite;
    public ScaledPointer Scaled;
}

[StructLayout(LayoutKind.Sequential)]
internal struct BatchStepArguments
{
    public TensorArguments Product;
    public MatrixPointer U;
    public RoundingPointer Half;
    public ulong Taps, TapBias;
    public long Window;
    public int First, Count;
}

[StructLayout(LayoutKind.Sequential)]
internal struct BatchBoxesArguments
{
    public BatchStepArguments Step;
    public ulong X, W;
    public int Stages;
}

[StructLayout(LayoutKind.Sequential)]
internal struct WgmmaArguments
{
    public LinearArguments Linear;
    public ulong X, W;
    public PartsPointer Parts;
    public ScaledPointer Scaled;
}

[StructLayout(LayoutKind.Sequential)]
internal struct StepArguments
{
    public BatchPointers Batch;
    public WeightPointer Weights;
    public MatrixPointer X, Z;
    public ulong Norm;
    public MatrixPointer AddTo, Y;
    public ulong Bias;
    public float Scale;
    public MatrixPointer U;
    public ulong Taps, TapBias;
    public long Window;
    public ulong NotFinite;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct StepScanArguments
{
    public BatchPointers Batch;
    public WeightPointer Weights;
    public MatrixPointer Dt, U, B, C, Z, Y;
    public ulong A, D, Bias;
    public long State;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct StepSsdArguments
{
    public BatchPointers Batch;
    public MatrixPointer X, Dt, B, C, Y;
    public ulong A, D, Bias;
    public long State;
}
