using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// The first rows of <see cref="QuantizedRows"/> once more, spread over lanes: what the AVX-512 dot products of decode load whole instead of computing
/// it for each of a matrix's rows. A lane is four neighbouring columns.
/// </summary>
internal sealed unsafe class RowLanes : IDisposable
{
    /// <summary>Rows that are multiplied with one pass over the weights.</summary>
    public const int Rows = 4;

    private readonly NativeBuffer _memory;
    private readonly long _lanes;

    public RowLanes(int width)
    {
        Width = width;
        _lanes = LanesOf(width);
        _memory = new NativeBuffer(Rows * RowBytes);
    }

    public long Bytes => _memory.Bytes;

    /// <summary>From one row to the next: starts, scales and sums, then 32 floats per 64 lanes.</summary>
    public long RowBytes => RowBytesOf(Width);

    public int Width { get; }

    public static long RowBytesOf(int width) => LanesOf(width) * (sizeof(int) + 2 * sizeof(float) + sizeof(float) / 2);

    /// <summary>Lanes of a row: its columns are filled up with zeros to whole blocks of 256.</summary>
    public static long LanesOf(int width) => (width + 255L) / 256 * 64;

    /// <summary>−128·Σq of the four columns of a lane.</summary>
    public int* Starts(int row) => (int*)(_memory.Address + row * RowBytes);

    /// <summary>The scale of a lane's columns.</summary>
    public float* Scales(int row) => (float*)Starts(row) + _lanes;

    /// <summary>scale·Σq of a lane's columns.</summary>
    public float* Sums(int row) => Scales(row) + _lanes;

    /// <summary>Per 256 columns: the scales of their eight blocks, then −scale·Σq of these, then −scale·Σq of their sixteen halves.</summary>
    public float* Supers(int row) => Sums(row) + _lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(int row, int block, float scale, Vector256<int> fours, float low, float high)
    {
        (fours * -128).Store(Starts(row) + 8 * block);
        Vector256.Create(scale).Store(Scales(row) + 8 * block);
        (Vector256.ConvertToSingle(fours) * scale).Store(Sums(row) + 8 * block);
        float* super = Supers(row) + block / 8 * 32;
        int i = block % 8;
        super[i] = scale;
        super[8 + i] = -(low + high);
        super[16 + 2 * i] = -low;
        super[17 + 2 * i] = -high;
    }

    public void Dispose() => _memory.Dispose();
}
