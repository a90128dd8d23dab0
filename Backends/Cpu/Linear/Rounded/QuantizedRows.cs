using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// Activations rounded to 8 bit for the integer dot products: per row and block of 32 columns a scale max|x| / 127 and values round(x / scale), and the
/// sums that weight types with a zero point or an offset multiply.
/// </summary>
/// <remarks>Columns past the width are zero; rows are filled up to an odd number of cache lines. Rows are filled by the step that makes them, a block of 32 columns by one member.</remarks>
internal sealed unsafe class QuantizedRows : IDisposable
{
    /// <summary>Columns that share a scale.</summary>
    public const int Block = 32;

    /// <summary>A block whose largest value is below this counts as zero: 127 / max must stay finite.</summary>
    public const float Tiny = 1e-30f;

    private readonly NativeBuffer _memory;
    private readonly sbyte* _values;
    private readonly float* _scales, _sums, _sums16;
    private readonly int* _starts, _starts16;
    private readonly RowLanes? _lanes;
    private readonly delegate* unmanaged<void*, void> _code, _codeWithLanes;

    /// <param name="capacity">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="code">Where emitted code is kept; with it the first rows are also kept as the dot products of decode read them.</param>
    /// <param name="memory">What the memory is counted by.</param>
    public QuantizedRows(int capacity, int width, CodeCache? code = null, HostMemory? memory = null)
    {
        Width = width;
        Stride = StrideOf(width);
        long blocks = (long)capacity * Stride;
        _lanes = code != null ? new RowLanes(width, memory) : null;
        try
        {
            _memory = new NativeBuffer(blocks * (Block + 7 * sizeof(float)), memory);
        }
        catch
        {
            _lanes?.Dispose();
            throw;
        }
        _values = (sbyte*)_memory.Address;
        _scales = (float*)(_values + blocks * Block);
        _sums = _scales + blocks;
        _sums16 = _sums + blocks;
        _starts = (int*)(_sums16 + 2 * blocks);
        _starts16 = _starts + blocks;
        if (!Avx512Support.IsAvailable || code == null) return;
        _code = code.Get(new QuantizeShape(Stride, LanesWidth: 0), QuantizeCode.Emit);
        _codeWithLanes = code.Get(new QuantizeShape(Stride, width), QuantizeCode.Emit);
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Blocks from one row to the next.</summary>
    public int Stride { get; }

    /// <summary>Blocks from one row to the next: an odd number of cache lines, so that the rows of a tile fall into different sets of the first-level cache.</summary>
    public static int StrideOf(int width)
    {
        int blocks = (width + Block - 1) / Block;
        return blocks / 4 * 4 + (blocks % 4 <= 2 ? 2 : 6);
    }

    public long Bytes => _memory.Bytes + (_lanes?.Bytes ?? 0);

    /// <summary>The first rows in the form of decode; only where asked for.</summary>
    public RowLanes Lanes => _lanes!;   // the compiler asks for lanes wherever a kernel reads them

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public QuantizedRow Row(int row)
    {
        long first = (long)row * Stride;
        return new QuantizedRow(_values + first * Block, _scales + first, _starts + first, _starts16 + 2 * first, _sums + first, _sums16 + 2 * first);
    }

    /// <summary>Rounds columns <paramref name="begin"/> (a multiple of 32) to begin + <paramref name="width"/> of <paramref name="count"/> rows of a matrix of this width.</summary>
    public void Fill(int first, int count, in Matrix x, int begin, int width)
    {
        if (_code == null || width % Block != 0)
        {
            for (int t = first; t < first + count; t++) Fill(t, x.Row(t), begin, width);
            return;
        }
        int spread = Math.Clamp(RowLanes.Rows - first, 0, count);
        if (spread > 0) FillEmitted(_codeWithLanes, first, spread, x, begin, width);
        if (spread < count) FillEmitted(_code, first + spread, count - spread, x, begin, width);
    }

    private void FillEmitted(delegate* unmanaged<void*, void> code, int first, int count, in Matrix x, int begin, int width)
    {
        QuantizedRow to = Row(first);
        int block = begin / Block;
        var arguments = new QuantizeArguments
        {
            X = x.Row(first) + begin, XStride = x.RowBytes, Values = to.Values + begin, Scales = to.Scales + block,
            Starts = to.Starts32 + block, Starts16 = to.Starts16 + 2 * block, Sums = to.Sums32 + block, Sums16 = to.Sums16 + 2 * block,
            Rows = count, Blocks = width / Block, Lanes = first < RowLanes.Rows ? (byte*)Lanes.Starts(first) : null, LanesBlock = sizeof(float) * block,
        };
        code(&arguments);
    }

    /// <summary>Rounds columns <paramref name="begin"/> (a multiple of 32) to begin + count of a row whose first column is at <paramref name="x"/>.</summary>
    public void Fill(int row, float* x, int begin, int count)
    {
        QuantizedRow to = Row(row);
        for (int at = begin; at < begin + count; at += Block)
        {
            int length = Math.Min(Block, begin + count - at), block = at / Block;
            float scale = length == Block && Vector256.IsHardwareAccelerated ? RoundBlock(x + at, to.Values + at) : RoundScalar(x + at, length, to.Values + at);
            Vector256<int> fours = SumsOfFour(Vector256.Load(to.Values + at));
            int low = Vector128.Sum(fours.GetLower()), high = Vector128.Sum(fours.GetUpper());
            to.Scales[block] = scale;
            to.Sums16[2 * block] = low * scale;
            to.Sums16[2 * block + 1] = high * scale;
            to.Sums32[block] = (low + high) * scale;
            to.Starts16[2 * block] = -128 * low;
            to.Starts16[2 * block + 1] = -128 * high;
            to.Starts32[block] = -128 * (low + high);
            if (row < RowLanes.Rows) _lanes?.Fill(row, block, to.Values + at, scale, fours);
        }
    }

    public void Dispose()
    {
        _memory.Dispose();
        _lanes?.Dispose();
    }

    /// <summary>Lane i sums values 4i to 4i + 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> SumsOfFour(Vector256<sbyte> q) => Avx2.IsSupported
        ? Avx2Dot.AddUnsigned(Vector256<int>.Zero, Vector256<byte>.One, q)
        : PortableDot.AddUnsigned(Vector256<int>.Zero, Vector256<byte>.One, q);

    /// <summary>A whole block; returns its scale. Lanes are columns; ints are narrowed in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float RoundBlock(float* x, sbyte* values)
    {
        Vector256<float> a = Vector256.Load(x), b = Vector256.Load(x + 8), c = Vector256.Load(x + 16), d = Vector256.Load(x + 24);
        // Magnitudes are in the order of their bits, with NaN above infinity: the maximum of ints is theirs, and no NaN is lost, as it is in that of floats.
        Vector256<int> top = Vector256.Max(Vector256.Max(Vector256.Abs(a).AsInt32(), Vector256.Abs(b).AsInt32()), Vector256.Max(Vector256.Abs(c).AsInt32(), Vector256.Abs(d).AsInt32()));
        Vector128<int> half = Vector128.Max(top.GetLower(), top.GetUpper());
        half = Vector128.Max(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        float max = BitConverter.Int32BitsToSingle(Math.Max(half[0], half[1]));
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
