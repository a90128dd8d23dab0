namespace MambaRT.Backends.Cpu;

/// <summary>256 columns in groups with small integer scales, in four steps of 64 columns.</summary>
internal abstract class GroupsUnpack(int blockBytes, int? startShift) : DotUnpack
{
    protected const int Steps = 4;

    /// <summary>Where the scales and offsets of the groups are left, and registers that their unpacking may use.</summary>
    protected static readonly Zmm Weights = new(8), Groups = new(9), A = new(10), B = new(11), C = new(12), D = new(13);

    private static readonly Zmm ColumnOrder = new(27);

    public sealed override int Columns => 256;

    public sealed override int Bytes => blockBytes;

    public sealed override int StepsTogether => 1;

    public sealed override int SuperBytes => 128;

    /// <summary>Columns that share a scale: 16 or 32.</summary>
    protected abstract int Group { get; }

    public override void Prepare(Assembler a, Gpr free)
    {
        Span<int> lanes = stackalloc int[16];
        for (int step = 0; step < Steps; step++)
        {
            // A lane is four columns, and a step begins at its first group.
            for (int lane = 0; lane < 16; lane++) lanes[lane] = (64 * step + 4 * lane) / Group;
            a.Vmovdqu32(GroupOrder(step), a.Lanes(lanes));
        }
        if (Group == 16) a.Vmovdqu32(ColumnOrder, a.Lanes(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7));   // an activation scale serves two groups
    }

    public sealed override void Step(Assembler a, DotShape shape, DotStream w, int i)
    {
        Mem block = w.At(0);
        Scales(a, block);
        for (int t = 0; t < shape.Rows; t++) ScaleRow(a, shape, w, t);
        for (int step = 0; step < Steps; step++)
        {
            Load(a, block, step);
            for (int t = 0; t < shape.Rows; t++)
            {
                Zmm integers = new(28 + t % 2), scales = new(30 + t % 2);
                Begin(a, integers, DotCode.Starts(shape, t, 64 * step), startShift);
                a.Vpdpbusd(integers, Weights, DotCode.Values(shape, t, 64 * step));
                a.Vpermps(scales, GroupOrder(step), Scaled(t));
                AddScaled(a, w.Sum(t), integers, scales);
            }
        }
    }

    public override void Part(Assembler a, DotShape shape, DotStream w, int i, int columns) => throw new InvalidOperationException("Rows are whole blocks of 256 columns.");

    /// <summary>Leaves the scale of each group in a lane of <see cref="Groups"/>.</summary>
    protected abstract void Scales(Assembler a, Mem block);

    /// <summary>The 64 columns of a step as unsigned bytes.</summary>
    protected abstract void Load(Assembler a, Mem block, int step);

    /// <summary>Leaves the products of the scales with those of activation row t in <see cref="Scaled"/>, and adds what offsets bring.</summary>
    protected virtual void ScaleRow(Assembler a, DotShape shape, DotStream w, int t)
    {
        if (Group == 32)
        {
            a.Vmulps(Scaled(t), Groups, DotCode.Supers(shape, t));
            return;
        }
        a.Vpermps(Scaled(t), ColumnOrder, DotCode.Supers(shape, t));
        a.Vmulps(Scaled(t), Scaled(t), Groups);
    }

    protected static Zmm Scaled(int t) => new(16 + t);

    private static Zmm GroupOrder(int step) => new(23 + step);
}

/// <summary>IQ4_XS: eight groups of 32 with 6-bit scales; a column is an index into sixteen levels.</summary>
internal sealed class LevelGroupsUnpack(sbyte[] levels) : GroupsUnpack(blockBytes: 136, startShift: 0)
{
    private const int LowScalesAt = 4, ValuesAt = 8;

    private static readonly Mask SecondGroup = new(1), HighHalves = new(2);
    private static readonly Zmm Fifteens = new(20), Levels = new(21);

    protected override int Group => 32;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        SetMask(a, SecondGroup, free, 0xff00);
        SetMask(a, HighHalves, free, unchecked((int)0xff00ff00));
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        LoadLevels(a, Levels, levels);
    }

    protected override void Scales(Assembler a, Mem block)
    {
        a.Vpbroadcastd(Groups, block.Plus(LowScalesAt));
        a.Vpsrlvd(Groups, Groups, a.Lanes(0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0));
        a.Vpandd(Groups, Groups, a.Constant(15));
        a.Vpbroadcastd(A, block);   // d, then two high bits of each scale
        a.Vpsrlvd(B, A, a.Lanes(16, 18, 20, 22, 24, 26, 28, 30, 0, 0, 0, 0, 0, 0, 0, 0));
        a.Vpandd(B, B, a.Constant(3));
        a.Vpslld(B, B, 4);
        a.Vpord(Groups, Groups, B);
        a.Vpsubd(Groups, Groups, a.Constant(32));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vcvtph2ps(A, A, 128);
        a.Vbroadcastss(A, A);
        a.Vmulps(Groups, Groups, A);
    }

    protected override void Load(Assembler a, Mem block, int step)
    {
        Mem values = block.Plus(ValuesAt + 32 * step);
        a.Vbroadcasti32x4(Weights, values);
        a.Vbroadcasti32x4(Weights, values.Plus(16), SecondGroup);
        a.Vpsrlw(Weights, Weights, 4, HighHalves);
        a.Vpandd(Weights, Weights, Fifteens);
        a.Vpshufb(Weights, Levels, Weights);
    }
}

/// <summary>Q4_K and Q5_K: eight groups of 32 with 6-bit scales and minima.</summary>
/// <param name="high">Whether there is a fifth bit.</param>
internal sealed class NibbleGroupsUnpack(bool high) : GroupsUnpack(blockBytes: high ? 176 : 144, startShift: null)
{
    private static readonly Mask UpperLanes = new(1), UpperWords = new(2);

    private static readonly Zmm Fifteens = new(20), Sixteens = new(21), ScaleOrder = new(22), HighBits = D, Moved = B;

    protected override int Group => 32;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        SetMask(a, UpperLanes, free, 0xff00);
        SetMask(a, UpperWords, free, unchecked((int)0xffff0000));
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        a.Vpbroadcastd(Sixteens, a.Constant(0x10101010));
        a.Vmovdqu32(ScaleOrder, Twice(a, 0, 1));
    }

    /// <summary>d·scale of the eight groups, then dmin·min of them.</summary>
    /// <remarks>Of the twelve bytes in ints u0, u1, u2 the scales are u0 and (u2, top of u0), the minima u1 and (u2 &gt;&gt; 4, top of u1).</remarks>
    protected override void Scales(Assembler a, Mem block)
    {
        a.Vmovdqu32(A, block.Plus(4), 128);
        a.Vpshufd(Groups, A, 0b10_01_10_00, 128);
        a.Vpsrlvd(Groups, Groups, a.Lanes(0, 0, 0, 4), 128);
        a.Vpandd(Groups, Groups, a.Lanes(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f), 128);
        a.Vpshufd(B, A, 0b01_01_00_00, 128);
        a.Vpsrlvd(B, B, a.Lanes(0, 2, 0, 2), 128);
        a.Vpandd(B, B, a.Lanes(0, 0x30303030, 0, 0x30303030), 128);
        a.Vpord(Groups, Groups, B, 128);
        a.Vpmovzxbd(Groups, Groups);
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpbroadcastd(B, block, 128);
        a.Vcvtph2ps(B, B, 128);
        a.Vpermps(B, ScaleOrder, B);
        a.Vmulps(Groups, Groups, B);
        if (high) a.Vbroadcasti64x4(HighBits, block.Plus(16));
    }

    protected override void ScaleRow(Assembler a, DotShape shape, DotStream w, int t)
    {
        base.ScaleRow(a, shape, w, t);
        a.Vaddps(w.Sum(t), w.Sum(t), Scaled(t), mask: UpperLanes);   // −dmin·min·Σx of the eight groups
    }

    /// <summary>Two groups: the low and the high halves of 32 bytes.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        a.Vbroadcasti64x4(Weights, block.Plus((high ? 48 : 16) + 32 * step));
        a.Vpsrlw(Weights, Weights, 4, UpperWords);
        a.Vpandd(Weights, Weights, Fifteens);
        if (!high) return;
        // Bit 2·step of a byte goes to bit 4 in the lower lanes, bit 2·step + 1 in the upper; what crosses bytes is masked off.
        a.Vprolvd(Moved, HighBits, Twice(a, 4 - 2 * step & 31, 3 - 2 * step & 31));
        a.Vpternlogd(Weights, Moved, Sixteens, 0xf8);
    }
}
