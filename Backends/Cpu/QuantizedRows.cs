using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>One row of <see cref="QuantizedRows"/>.</summary>
/// <param name="values">[blocks · 32] q.</param>
/// <param name="scales">[blocks]: value = scale·q.</param>
/// <param name="counts">[blocks] Σq of a block, then [2 · blocks] of its halves.</param>
/// <param name="sums">[blocks] scale·Σq of a block, then [2 · blocks] of its halves.</param>
/// <param name="blocks">Blocks of 32 columns.</param>
internal readonly unsafe struct QuantizedRow(sbyte* values, float* scales, int* counts, float* sums, int blocks)
{
    public readonly sbyte* Values = values;
    public readonly float* Scales = scales;
    public readonly int* Counts32 = counts, Counts16 = counts + blocks;
    public readonly float* Sums32 = sums, Sums16 = sums + blocks;
}

/// <summary>
/// Activations rounded to 8 bit for the integer dot products: per row and block of 32 columns a scale max|x| / 127 and values round(x / scale), and the
/// sums that weight types with a zero point or an offset multiply.
/// </summary>
/// <remarks>Columns past the width are zero. Rows are filled by the step that makes them, a block of 32 columns by one member.</remarks>
internal sealed unsafe class QuantizedRows : IDisposable
{
    /// <summary>Columns that share a scale.</summary>
    public const int Block = 32;

    /// <summary>A block whose largest value is below this counts as zero: 127 / max must stay finite.</summary>
    private const float Tiny = 1e-30f;

    private readonly NativeBuffer _memory;
    private readonly sbyte* _values;
    private readonly float* _scales, _sums;
    private readonly int* _counts;
    private readonly int _blocks;

    public QuantizedRows(int capacity, int width)
    {
        Width = width;
        _blocks = (width + Block - 1) / Block;
        long blocks = (long)capacity * _blocks;
        _memory = new NativeBuffer(blocks * (Block + 7 * sizeof(float)));
        _values = (sbyte*)_memory.Address;
        _scales = (float*)(_values + blocks * Block);
        _sums = _scales + blocks;
        _counts = (int*)(_sums + 3 * blocks);
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    public long Bytes => _memory.Bytes;

    public QuantizedRow Row(int row)
    {
        long first = (long)row * _blocks;
        return new QuantizedRow(_values + first * Block, _scales + first, _counts + 3 * first, _sums + 3 * first, _blocks);
    }

    /// <summary>Rounds columns <paramref name="begin"/> (a multiple of 32) to begin + count of a row whose first column is at <paramref name="x"/>.</summary>
    public void Fill(int row, float* x, int begin, int count)
    {
        QuantizedRow to = Row(row);
        for (int at = begin; at < begin + count; at += Block)
        {
            int length = Math.Min(Block, begin + count - at), block = at / Block;
            float scale = length == Block && Vector256.IsHardwareAccelerated ? RoundBlock(x + at, to.Values + at) : RoundScalar(x + at, length, to.Values + at);
            to.Scales[block] = scale;
            (to.Counts16[2 * block], to.Counts16[2 * block + 1]) = Sums(Vector256.Load(to.Values + at));
            to.Sums16[2 * block] = to.Counts16[2 * block] * scale;
            to.Sums16[2 * block + 1] = to.Counts16[2 * block + 1] * scale;
            to.Counts32[block] = to.Counts16[2 * block] + to.Counts16[2 * block + 1];
            to.Sums32[block] = to.Counts32[block] * scale;
        }
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>The sums of the first and the second sixteen values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int First, int Second) Sums(Vector256<sbyte> q)
    {
        Vector256<int> fours = Avx2.IsSupported
            ? Avx2Dot.AddUnsigned(Vector256<int>.Zero, Vector256<byte>.One, q)
            : PortableDot.AddUnsigned(Vector256<int>.Zero, Vector256<byte>.One, q);
        return (Vector128.Sum(fours.GetLower()), Vector128.Sum(fours.GetUpper()));
    }

    /// <summary>A whole block; returns its scale. Lanes are columns; ints are narrowed in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float RoundBlock(float* x, sbyte* values)
    {
        Vector256<float> a = Vector256.Load(x), b = Vector256.Load(x + 8), c = Vector256.Load(x + 16), d = Vector256.Load(x + 24);
        Vector256<float> top = Vector256.MaxNative(Vector256.MaxNative(Vector256.Abs(a), Vector256.Abs(b)), Vector256.MaxNative(Vector256.Abs(c), Vector256.Abs(d)));
        Vector128<float> half = Vector128.MaxNative(top.GetLower(), top.GetUpper());
        half = Vector128.MaxNative(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        float max = Math.Max(half[0], half[1]);
        Vector256<float> inverse = Vector256.Create(max > Tiny ? 127 / max : 0);
        Vector256<short> low = Vector256.Narrow(Nearest(a * inverse), Nearest(b * inverse));
        Vector256<short> high = Vector256.Narrow(Nearest(c * inverse), Nearest(d * inverse));
        Vector256.Narrow(low, high).Store(values);
        return max / 127;
    }

    /// <summary>To the nearest integer, ties to even; |v| is at most 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Nearest(Vector256<float> v) => Vector256.ConvertToInt32Native(Vector256.Round(v));

    /// <summary>The scalar twin; a short block is filled up with zeros.</summary>
    internal static float RoundScalar(float* x, int length, sbyte* values)
    {
        float max = 0;
        for (int i = 0; i < length; i++) max = Math.Max(max, Math.Abs(x[i]));
        float inverse = max > Tiny ? 127 / max : 0;
        for (int i = 0; i < Block; i++) values[i] = i < length ? (sbyte)MathF.Round(x[i] * inverse) : (sbyte)0;
        return max / 127;
    }
}
