using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// Activations rounded to 8 bit for the integer dot products: per row and block of 32 columns a scale max|x| / 127 and values round(x / scale),
/// and per group of 16 columns scale·Σq, which is what a weight type with minima multiplies.
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
    private readonly int _blocks;

    public QuantizedRows(int capacity, int width)
    {
        Width = width;
        _blocks = (width + Block - 1) / Block;
        long values = (long)capacity * _blocks * Block, scales = (long)capacity * _blocks * sizeof(float);
        _memory = new NativeBuffer(values + 3 * scales);
        _values = (sbyte*)_memory.Address;
        _scales = (float*)(_values + values);
        _sums = _scales + (long)capacity * _blocks;
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    public long Bytes => _memory.Bytes;

    /// <summary>[blocks · 32] of one row.</summary>
    public sbyte* Values(int row) => _values + (long)row * _blocks * Block;

    /// <summary>[blocks] of one row.</summary>
    public float* Scales(int row) => _scales + (long)row * _blocks;

    /// <summary>[2 · blocks] of one row: scale·Σq per 16 columns.</summary>
    public float* Sums(int row) => _sums + (long)row * _blocks * 2;

    /// <summary>Rounds columns <paramref name="begin"/> (a multiple of 32) to begin + count of a row whose first column is at <paramref name="x"/>.</summary>
    public void Fill(int row, float* x, int begin, int count)
    {
        sbyte* values = Values(row);
        float* scales = Scales(row), sums = Sums(row);
        for (int at = begin; at < begin + count; at += Block)
        {
            int length = Math.Min(Block, begin + count - at);
            if (length == Block && Vector256.IsHardwareAccelerated) scales[at / Block] = RoundBlock(x + at, values + at);
            else scales[at / Block] = RoundScalar(x + at, length, values + at);
            for (int g = 0; g < 2; g++)
            {
                int sum = 0;
                sbyte* q = values + at + g * 16;
                for (int i = 0; i < 16; i++) sum += q[i];
                sums[at / 16 + g] = sum * scales[at / Block];
            }
        }
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>A whole block; returns its scale. Lanes are columns; ints are narrowed in order.</summary>
    private static float RoundBlock(float* x, sbyte* values)
    {
        Vector256<float> a = Vector256.Load(x), b = Vector256.Load(x + 8), c = Vector256.Load(x + 16), d = Vector256.Load(x + 24);
        Vector256<float> top = Vector256.Max(Vector256.Max(Vector256.Abs(a), Vector256.Abs(b)), Vector256.Max(Vector256.Abs(c), Vector256.Abs(d)));
        Vector128<float> half = Vector128.Max(top.GetLower(), top.GetUpper());
        half = Vector128.Max(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        float max = Math.Max(half[0], half[1]);
        Vector256<float> inverse = Vector256.Create(max > Tiny ? 127 / max : 0);
        Vector256<short> low = Vector256.Narrow(Vector256.ConvertToInt32(Vector256.Round(a * inverse)), Vector256.ConvertToInt32(Vector256.Round(b * inverse)));
        Vector256<short> high = Vector256.Narrow(Vector256.ConvertToInt32(Vector256.Round(c * inverse)), Vector256.ConvertToInt32(Vector256.Round(d * inverse)));
        Vector256.Narrow(low, high).Store(values);
        return max / 127;
    }

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
