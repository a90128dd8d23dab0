using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// Sixteen quantized weight rows laid out for a matrix–matrix product: [columns / 4, 16, 4] bytes, so that one vector holds four neighbouring columns of
/// eight rows and a lane of the product is a row; then a scale per group and row, then an offset where the type has one.
/// </summary>
/// <remarks>
/// Bytes are unsigned where the dot product takes them so: signed ones are stored 128 higher. What is too high (128, or the type's zero point) comes
/// off exactly, in integers: the sums of a group begin at −zero·Σx.
/// </remarks>
internal readonly unsafe struct Int8Panel<TBlock, TDot> where TBlock : struct, IInt8Block where TDot : struct, IInt8Dot
{
    /// <summary>Activation rows multiplied together: with two vectors of weights, eight sums, which leaves registers for loads.</summary>
    public const int Tile = 4;

    private const int Rows = WeightKernel.PanelRows;

    private readonly byte* _values;
    private readonly float* _scales, _offsets;
    private readonly int _columns;

    public Int8Panel(byte* scratch, int columns)
    {
        _columns = columns;
        _values = scratch;
        _scales = (float*)(scratch + (long)columns * Rows);
        _offsets = _scales + (long)(columns / TBlock.Group) * Rows;
    }

    /// <summary>
    /// What is added to the bytes where the dot product takes unsigned ones up to 255: so that signed types become unsigned and every zero point is 128.
    /// </summary>
    public static int Lift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => !TDot.WideUnsigned || !TBlock.Signed && TBlock.Zero == 0 ? 0 : 128 - TBlock.Zero;
    }

    /// <summary>What the stored bytes are too high by.</summary>
    private static int Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TBlock.Zero + Lift;
    }

    /// <summary>Steps of four columns over which sums of two products surely stay within 16 bit.</summary>
    private static int PairSteps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Math.Min(TBlock.Group / 4, short.MaxValue / (2 * sbyte.MaxValue * TBlock.Most));
    }

    /// <summary>Two steps would save less than the second set of sums costs.</summary>
    private static bool ByPairs
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TDot.ByPairs && !TBlock.Signed && PairSteps > 2;
    }

    public byte* Values => _values;

    public float* Scales => _scales;

    public float* Offsets => _offsets;

    /// <summary>Scratch of a panel.</summary>
    public static long Bytes(int columns) => (long)columns * Rows + 2L * (columns / TBlock.Group) * Rows * sizeof(float);

    /// <summary>Lays out <paramref name="count"/> rows; rows past them repeat the last one, and their products are not stored.</summary>
    /// <param name="weights">The first row.</param>
    /// <param name="rowBytes">From one row to the next.</param>
    /// <param name="count">Rows there are.</param>
    /// <param name="ahead">
    /// How far on the panel lies that this thread will probably lay out next. Sixteen short streams are more than the machine foresees by itself, and the
    /// wait for memory would take most of the time: the next panel's lines are asked for while this one is laid out.
    /// </param>
    public void Pack(byte* weights, long rowBytes, int count, long ahead)
    {
        byte** rows = stackalloc byte*[Rows];
        for (int r = 0; r < Rows; r++) rows[r] = weights + Math.Min(r, count - 1) * rowBytes;
        byte* next = weights + ahead;
        for (int at = 0; at < _columns; at += TBlock.Length)
        {
            for (byte* end = next + Rows * TBlock.Bytes; next < end; next += 64)
                if (Sse.IsSupported) Sse.Prefetch1(next);
            for (int half = 0; half < Rows; half += 8)
            {
                PackScales(rows, at, half);
                PackValues(rows, at, half);
                for (int r = half; r < half + 8; r++) rows[r] += TBlock.Bytes;
            }
        }
    }

    /// <summary>Values of the block at a column.</summary>
    private int ValuesOf(int at) => TBlock.EndsEarly ? Math.Min(TBlock.Length, _columns - at) : TBlock.Length;

    private void PackScales(byte** rows, int at, int half)
    {
        float* scales = stackalloc float[32], offsets = scales + 16;
        float* toScales = _scales + (long)(at / TBlock.Group) * Rows, toOffsets = _offsets + (long)(at / TBlock.Group) * Rows;
        if (TBlock.Length == 32)
        {
            // Blocks of 32 begin with a half scale and, with an offset, a half offset: eight rows are converted together.
            Halves.ToSingle(Gather(rows + half, 0)).Store(toScales + half);
            if (TBlock.HasOffset) Halves.ToSingle(Gather(rows + half, 2)).Store(toOffsets + half);
            return;
        }
        for (int r = half; r < half + 8; r++)
        {
            TBlock.Scales(rows[r], scales, offsets);
            for (int g = 0; g < ValuesOf(at) / TBlock.Group; g++)
            {
                toScales[g * Rows + r] = scales[g];
                if (TBlock.HasOffset) toOffsets[g * Rows + r] = offsets[g];
            }
        }
    }

    /// <summary>The halves at an offset in the blocks of eight rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Gather(byte** rows, int offset) => Vector128.Create(
        Unsafe.ReadUnaligned<ushort>(rows[0] + offset), Unsafe.ReadUnaligned<ushort>(rows[1] + offset), Unsafe.ReadUnaligned<ushort>(rows[2] + offset),
        Unsafe.ReadUnaligned<ushort>(rows[3] + offset), Unsafe.ReadUnaligned<ushort>(rows[4] + offset), Unsafe.ReadUnaligned<ushort>(rows[5] + offset),
        Unsafe.ReadUnaligned<ushort>(rows[6] + offset), Unsafe.ReadUnaligned<ushort>(rows[7] + offset));

    /// <summary>Eight rows of a block: a vector holds 32 values of a row, and its ints, four values each, go to eight places.</summary>
    private void PackValues(byte** rows, int at, int half)
    {
        int* to = (int*)_values + (long)at / 4 * Rows + half;
        byte* a = rows[half], b = rows[half + 1], c = rows[half + 2], d = rows[half + 3], e = rows[half + 4], f = rows[half + 5], g = rows[half + 6], h = rows[half + 7];
        for (int part = 0; part < ValuesOf(at) / 32; part++, to += 8 * Rows)
            Transpose.Store(Part(a, part), Part(b, part), Part(c, part), Part(d, part), Part(e, part), Part(f, part), Part(g, part), Part(h, part), to, Rows);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Part(byte* block, int part) =>
        (Lift != 0 ? TBlock.Load(block, part) + Vector256.Create((byte)Lift) : TBlock.Load(block, part)).AsInt32();

    /// <summary>Activation rows row to row + height (at most <see cref="Tile"/>) by the sixteen rows: tile [Tile, 16]. Sums of a group are exact ints.</summary>
    public void Multiply(QuantizedRows x, int row, int height, float* tile)
    {
        // A short tile repeats its last row; the repeats are not stored.
        QuantizedRow a = x.Row(row), b = x.Row(row + Math.Min(1, height - 1)), c = x.Row(row + Math.Min(2, height - 1)), d = x.Row(row + Math.Min(3, height - 1));
        new Span<float>(tile, Tile * Rows).Clear();
        if (ByPairs) MultiplyByPairs(a, b, c, d, tile);
        else MultiplyByFours(a, b, c, d, tile);
    }

    /// <summary>Step by step to the four products of an int lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void MultiplyByFours(in QuantizedRow a, in QuantizedRow b, in QuantizedRow c, in QuantizedRow d, float* tile)
    {
        int* xa = (int*)a.Values, xb = (int*)b.Values, xc = (int*)c.Values, xd = (int*)d.Values;
        byte* w = _values;
        for (int g = 0; g < _columns / TBlock.Group; g++)
        {
            Vector256<int> a0 = Begin(a, g), b0 = Begin(b, g), c0 = Begin(c, g), d0 = Begin(d, g), a1 = a0, b1 = b0, c1 = c0, d1 = d0;
            for (nint k = 0; k < TBlock.Group / 4; k++, w += 64)
            {
                Vector256<byte> w0 = Vector256.Load(w), w1 = Vector256.Load(w + 32);
                Vector256<sbyte> v = Vector256.Create(xa[k]).AsSByte();
                a0 = Add(a0, w0, v);
                a1 = Add(a1, w1, v);
                v = Vector256.Create(xb[k]).AsSByte();
                b0 = Add(b0, w0, v);
                b1 = Add(b1, w1, v);
                v = Vector256.Create(xc[k]).AsSByte();
                c0 = Add(c0, w0, v);
                c1 = Add(c1, w1, v);
                v = Vector256.Create(xd[k]).AsSByte();
                d0 = Add(d0, w0, v);
                d1 = Add(d1, w1, v);
            }
            xa += TBlock.Group / 4;
            xb += TBlock.Group / 4;
            xc += TBlock.Group / 4;
            xd += TBlock.Group / 4;
            AddGroup(tile, g, a, a0, a1);
            AddGroup(tile + Rows, g, b, b0, b1);
            AddGroup(tile + 2 * Rows, g, c, c0, c1);
            AddGroup(tile + 3 * Rows, g, d, d0, d1);
        }
    }

    /// <summary>The same integers by sums of two products in 16 bit, which small weights leave room for over several steps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void MultiplyByPairs(in QuantizedRow a, in QuantizedRow b, in QuantizedRow c, in QuantizedRow d, float* tile)
    {
        int* xa = (int*)a.Values, xb = (int*)b.Values, xc = (int*)c.Values, xd = (int*)d.Values;
        byte* w = _values;
        for (int g = 0; g < _columns / TBlock.Group; g++)
        {
            Vector256<int> a0 = Begin(a, g), b0 = Begin(b, g), c0 = Begin(c, g), d0 = Begin(d, g), a1 = a0, b1 = b0, c1 = c0, d1 = d0;
            for (int step = 0; step < TBlock.Group / 4; step += PairSteps)
            {
                Vector256<short> pa0 = default, pa1 = default, pb0 = default, pb1 = default, pc0 = default, pc1 = default, pd0 = default, pd1 = default;
                for (nint k = 0; k < PairSteps; k++, w += 64)
                {
                    Vector256<byte> w0 = Vector256.Load(w), w1 = Vector256.Load(w + 32);
                    Vector256<sbyte> v = Vector256.Create(xa[k]).AsSByte();
                    pa0 += TDot.Pairs(w0, v);
                    pa1 += TDot.Pairs(w1, v);
                    v = Vector256.Create(xb[k]).AsSByte();
                    pb0 += TDot.Pairs(w0, v);
                    pb1 += TDot.Pairs(w1, v);
                    v = Vector256.Create(xc[k]).AsSByte();
                    pc0 += TDot.Pairs(w0, v);
                    pc1 += TDot.Pairs(w1, v);
                    v = Vector256.Create(xd[k]).AsSByte();
                    pd0 += TDot.Pairs(w0, v);
                    pd1 += TDot.Pairs(w1, v);
                }
                xa += PairSteps;
                xb += PairSteps;
                xc += PairSteps;
                xd += PairSteps;
                a0 += TDot.Fours(pa0);
                a1 += TDot.Fours(pa1);
                b0 += TDot.Fours(pb0);
                b1 += TDot.Fours(pb1);
                c0 += TDot.Fours(pc0);
                c1 += TDot.Fours(pc1);
                d0 += TDot.Fours(pd0);
                d1 += TDot.Fours(pd1);
            }
            AddGroup(tile, g, a, a0, a1);
            AddGroup(tile + Rows, g, b, b0, b1);
            AddGroup(tile + 2 * Rows, g, c, c0, c1);
            AddGroup(tile + 3 * Rows, g, d, d0, d1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Add(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x) =>
        TBlock.Signed && Lift == 0 ? TDot.AddSigned(sum, w.AsSByte(), x) : TDot.AddUnsigned(sum, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Begin(in QuantizedRow x, int g) =>
        Zero == 0 ? default : Vector256.Create(((TBlock.Group == 32 ? x.Starts32[g] : x.Starts16[g]) >> 7) * Zero);

    /// <summary>Adds a group's sums of one activation row to its sixteen results.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddGroup(float* tile, int g, in QuantizedRow x, Vector256<int> low, Vector256<int> high)
    {
        Vector256<float> scale = Vector256.Create(x.Scales[TBlock.Group == 32 ? g : g >> 1]);
        Vector256<float> sum0 = Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(low), Vector256.Load(_scales + g * Rows) * scale, Vector256.Load(tile));
        Vector256<float> sum1 = Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(high), Vector256.Load(_scales + g * Rows + 8) * scale, Vector256.Load(tile + 8));
        if (TBlock.HasOffset)
        {
            Vector256<float> sum = Vector256.Create(TBlock.Group == 32 ? x.Sums32[g] : x.Sums16[g]);
            sum0 = Vector256.FusedMultiplyAdd(Vector256.Load(_offsets + g * Rows), sum, sum0);
            sum1 = Vector256.FusedMultiplyAdd(Vector256.Load(_offsets + g * Rows + 8), sum, sum1);
        }
        sum0.Store(tile);
        sum1.Store(tile + 8);
    }
}
