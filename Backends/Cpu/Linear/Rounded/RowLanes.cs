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

    /// <summary>Columns of a quad: four blocks, whose halves 4-bit types store in the low and the high halves of the same bytes.</summary>
    public const int QuadColumns = 128;

    /// <summary>A quad: 128 values in the order of those bytes, then for the four lanes of each block starts, scales and sums.</summary>
    public const int QuadBytes = 320, QuadHighValues = 64, QuadStarts = 128, QuadScales = 192, QuadSums = 256;

    /// <summary>What lies beside 256 columns: the scales of their blocks, the sums of these, and those of their halves.</summary>
    public const int SuperBytes = 128, SuperSums = 32, SuperHalfSums = 64;

    private readonly NativeBuffer _memory;
    private readonly long _lanes;

    public RowLanes(int width, HostMemory? memory)
    {
        Width = width;
        _lanes = LanesOf(width);
        _memory = new NativeBuffer(Rows * RowBytes, memory);
    }

    public long Bytes => _memory.Bytes;

    /// <summary>From one row to the next: starts, scales and sums, then 32 floats per 64 lanes, then the quads.</summary>
    public long RowBytes => RowBytesOf(Width);

    public int Width { get; }

    public static long RowBytesOf(int width) => QuadsAt(width) + LanesOf(width) * 4 / QuadColumns * QuadBytes;

    /// <summary>Where the quads of a row begin.</summary>
    public static long QuadsAt(int width) => LanesOf(width) * (sizeof(int) + 2 * sizeof(float) + sizeof(float) / 2);

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

    /// <summary>Spreads a block of 32 columns.</summary>
    /// <param name="row">Its row, below <see cref="Rows"/>.</param>
    /// <param name="block">Its number in the row.</param>
    /// <param name="values">Its rounded values.</param>
    /// <param name="scale">Its scale.</param>
    /// <param name="fours">The sums of four neighbours.</param>
    /// <remarks><see cref="QuantizeCode"/> does the same, with the same results.</remarks>
    public void Fill(int row, int block, sbyte* values, float scale, Vector256<int> fours)
    {
        int low = -Vector128.Sum(fours.GetLower()), high = -Vector128.Sum(fours.GetUpper());
        (fours * -128).Store(Starts(row) + 8 * block);
        Vector256.Create(scale).Store(Scales(row) + 8 * block);
        (Vector256.ConvertToSingle(fours) * scale).Store(Sums(row) + 8 * block);
        byte* super = (byte*)Supers(row) + block / 8 * SuperBytes;
        int i = block % 8;
        ((float*)super)[i] = scale;
        ((float*)(super + SuperSums))[i] = (low + high) * scale;
        ((float*)(super + SuperHalfSums))[2 * i] = low * scale;
        ((float*)(super + SuperHalfSums))[2 * i + 1] = high * scale;

        byte* quad = (byte*)Starts(row) + QuadsAt(Width) + block / 4 * QuadBytes + block % 4 * 16;
        Vector128<int> pairs = fours.GetLower() + fours.GetUpper();
        Vector128.Load(values).Store((sbyte*)quad);
        Vector128.Load(values + 16).Store((sbyte*)quad + QuadHighValues);
        (pairs * -128).Store((int*)(quad + QuadStarts));
        Vector128.Create(scale).Store((float*)(quad + QuadScales));
        (Vector128.ConvertToSingle(pairs) * scale).Store((float*)(quad + QuadSums));
    }

    public void Dispose() => _memory.Dispose();
}
