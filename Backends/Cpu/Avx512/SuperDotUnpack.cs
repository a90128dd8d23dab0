namespace MambaRT.Backends.Cpu;

/// <summary>Q4_K and Q5_K: 256 columns in eight groups of 32 with 6-bit scales and minima.</summary>
/// <param name="high">Whether there is a fifth bit.</param>
internal sealed class FiveBitUnpack(bool high) : DotUnpack
{
    private static readonly Mask UpperLanes = new(1), UpperWords = new(2);

    private static readonly Zmm Weights = new(8), Packed = new(9), Other = new(14), Groups = new(15), HighBits = new(13), Moved = new(14);
    private static readonly Zmm Fifteens = new(20), Sixteens = new(21), ScaleOrder = new(22);

    public override int Columns => 256;

    public override int Bytes => high ? 176 : 144;

    public override int StepsTogether => 1;

    public override void Prepare(Assembler a, Gpr free)
    {
        SetMask(a, UpperLanes, free, 0xff00);
        SetMask(a, UpperWords, free, unchecked((int)0xffff0000));
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        a.Vpbroadcastd(Sixteens, a.Constant(0x10101010));
        a.Vmovdqu32(ScaleOrder, Twice(a, 0, 1));
        for (int i = 0; i < 4; i++) a.Vmovdqu32(GroupOrder(i), Twice(a, 2 * i, 2 * i + 1));
    }

    public override void Step(Assembler a, DotShape shape, int i, bool half)
    {
        var block = new Mem(DotCode.W);
        Scales(a, block);
        for (int t = 0; t < shape.Rows; t++)
        {
            a.Vmulps(Scaled(t), Groups, DotCode.Supers(shape, t));
            a.Vaddps(DotCode.Sum(t, 0), DotCode.Sum(t, 0), Scaled(t), mask: UpperLanes);   // −dmin·min·Σx of the eight groups
        }
        if (high) a.Vbroadcasti64x4(HighBits, block.Plus(16));
        for (int pair = 0; pair < 4; pair++)
        {
            Load(a, block, pair);
            for (int t = 0; t < shape.Rows; t++)
            {
                Zmm integers = new(27 + t % 2), scales = new(29 + t % 2);
                a.Vpxord(integers, integers, integers);
                a.Vpdpbusd(integers, Weights, DotCode.Values(shape, t, 64 * pair));
                a.Vpermps(scales, GroupOrder(pair), Scaled(t));
                AddScaled(a, DotCode.Sum(t, pair), integers, scales);
            }
        }
    }

    /// <summary>Groups = d·scale of the eight groups, then dmin·min of them.</summary>
    /// <remarks>Of the twelve bytes in ints u0, u1, u2 the scales are u0 and (u2, top of u0), the minima u1 and (u2 &gt;&gt; 4, top of u1).</remarks>
    private static void Scales(Assembler a, Mem block)
    {
        a.Vmovdqu32(Packed, block.Plus(4), 128);
        a.Vpshufd(Groups, Packed, 0b10_01_10_00, 128);
        a.Vpsrlvd(Groups, Groups, a.Lanes(0, 0, 0, 4), 128);
        a.Vpandd(Groups, Groups, a.Lanes(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f), 128);
        a.Vpshufd(Other, Packed, 0b01_01_00_00, 128);
        a.Vpsrlvd(Other, Other, a.Lanes(0, 2, 0, 2), 128);
        a.Vpandd(Other, Other, a.Lanes(0, 0x30303030, 0, 0x30303030), 128);
        a.Vpord(Groups, Groups, Other, 128);
        a.Vpmovzxbd(Groups, Groups);
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpbroadcastd(Other, block, 128);
        a.Vcvtph2ps(Other, Other, 128);
        a.Vpermps(Other, ScaleOrder, Other);
        a.Vmulps(Groups, Groups, Other);
    }

    /// <summary>Groups 2·pair and 2·pair + 1: the low and the high halves of 32 bytes.</summary>
    private void Load(Assembler a, Mem block, int pair)
    {
        a.Vbroadcasti64x4(Weights, block.Plus((high ? 48 : 16) + 32 * pair));
        a.Vpsrlw(Weights, Weights, 4, UpperWords);
        a.Vpandd(Weights, Weights, Fifteens);
        if (!high) return;
        // Bit 2·pair of a byte goes to bit 4 in the lower lanes, bit 2·pair + 1 in the upper; what crosses bytes is masked off.
        a.Vprolvd(Moved, HighBits, Twice(a, 4 - 2 * pair & 31, 3 - 2 * pair & 31));
        a.Vpternlogd(Weights, Moved, Sixteens, 0xf8);
    }

    private static Mem Twice(Assembler a, int lower, int upper)
    {
        Span<int> lanes = stackalloc int[16];
        lanes[..8].Fill(lower);
        lanes[8..].Fill(upper);
        return a.Lanes(lanes);
    }

    private static Zmm Scaled(int t) => new(16 + t);

    private static Zmm GroupOrder(int pair) => new(23 + pair);
}

/// <summary>Q6_K: 256 columns in sixteen groups of 16 with 8-bit scales.</summary>
internal sealed class SixBitUnpack : DotUnpack
{
    private const int ScalesAt = 192, ScaleAt = 208;

    private static readonly Zmm Weights = new(8), Low = new(9), High = new(10), Moved = new(11), Groups = new(12), Scale = new(13);
    private static readonly Zmm Fifteens = new(20), HighMask = new(21), ScaleOrder = new(26), ColumnOrder = new(27);

    public override int Columns => 256;

    public override int Bytes => 210;

    public override int StepsTogether => 1;

    public override void Prepare(Assembler a, Gpr free)
    {
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        a.Vpbroadcastd(HighMask, a.Constant(0x30303030));
        a.Vpbroadcastd(ScaleOrder, a.Constant(1));
        a.Vmovdqu32(ColumnOrder, a.Lanes(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7));   // an activation scale serves two groups
        Span<int> lanes = stackalloc int[16];
        for (int i = 0; i < 4; i++)
        {
            for (int lane = 0; lane < 16; lane++) lanes[lane] = 4 * i + lane / 4;
            a.Vmovdqu32(GroupOrder(i), a.Lanes(lanes));
        }
    }

    public override void Step(Assembler a, DotShape shape, int i, bool half)
    {
        var block = new Mem(DotCode.W);
        a.Vpmovsxbd(Groups, block.Plus(ScalesAt));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpbroadcastd(Scale, block.Plus(ScaleAt - 2), 128);   // the two bytes before d, so that nothing past the block is read
        a.Vcvtph2ps(Scale, Scale, 128);
        a.Vpermps(Scale, ScaleOrder, Scale);
        a.Vmulps(Groups, Groups, Scale);
        for (int t = 0; t < shape.Rows; t++)
        {
            a.Vpermps(Scaled(t), ColumnOrder, DotCode.Supers(shape, t));
            a.Vmulps(Scaled(t), Scaled(t), Groups);
        }
        for (int quarter = 0; quarter < 4; quarter++)
        {
            Load(a, block, quarter);
            for (int t = 0; t < shape.Rows; t++)
            {
                Zmm integers = new(28 + t % 2), scales = new(30 + t % 2);
                a.Vpsrad(integers, DotCode.Starts(shape, t, 64 * quarter), 2);   // a zero point of 32
                a.Vpdpbusd(integers, Weights, DotCode.Values(shape, t, 64 * quarter));
                a.Vpermps(scales, GroupOrder(quarter), Scaled(t));
                AddScaled(a, DotCode.Sum(t, quarter), integers, scales);
            }
        }
    }

    /// <summary>Columns 64·quarter to 64·quarter + 63: low or high halves of 64 bytes, and two of the four pairs of high bits of 32 bytes, twice.</summary>
    private static void Load(Assembler a, Mem block, int quarter)
    {
        int half = quarter / 2;
        if (quarter % 2 == 0)
        {
            a.Vmovdqu32(Low, block.Plus(64 * half));
            a.Vbroadcasti64x4(High, block.Plus(128 + 32 * half));
            a.Vpandd(Weights, Low, Fifteens);
            a.Vpsllvd(Moved, High, a.Lanes(4, 4, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2));
        }
        else
        {
            a.Vpsrlw(Weights, Low, 4);
            a.Vpandd(Weights, Weights, Fifteens);
            a.Vpsrlvd(Moved, High, a.Lanes(0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2));
        }
        a.Vpternlogd(Weights, Moved, HighMask, 0xf8);
    }

    private static Zmm Scaled(int t) => new(16 + t);

    private static Zmm GroupOrder(int quarter) => new(22 + quarter);
}
