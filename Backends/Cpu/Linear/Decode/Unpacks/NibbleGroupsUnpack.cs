namespace MambaRT.Backends.Cpu;

/// <summary>Q4_K and Q5_K: eight groups of 32 with 6-bit scales and minima.</summary>
/// <param name="high">Whether there is a fifth bit.</param>
internal sealed unsafe class NibbleGroupsUnpack(bool high) : GroupsUnpack(high ? sizeof(Q5_KBlock) : sizeof(Q4_KBlock), startShift: null)
{
    private static readonly int ScalesAt = Fields.OffsetOf<Q4_KBlock>(b => &b->scales), HighAt = Fields.OffsetOf<Q5_KBlock>(b => &b->qh);

    private static readonly Mask UpperLanes = new(1), UpperWords = new(2);

    private static readonly Zmm Fifteens = new(20), Sixteens = new(21), ScaleOrder = new(22), HighBits = D, Moved = B;

    private readonly int _valuesAt = high ? Fields.OffsetOf<Q5_KBlock>(b => &b->qs) : Fields.OffsetOf<Q4_KBlock>(b => &b->qs);

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
        a.Vmovdqu32(A, block.Plus(ScalesAt), 128);
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
        if (high) a.Vbroadcasti64x4(HighBits, block.Plus(HighAt));
    }

    protected override void ScaleRow(Assembler a, DotShape shape, DotStream w, int t)
    {
        base.ScaleRow(a, shape, w, t);
        a.Vaddps(w.Sum(t), w.Sum(t), Scaled(t), mask: UpperLanes);   // −dmin·min·Σx of the eight groups
    }

    /// <summary>Two groups: the low and the high halves of 32 bytes.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        a.Vbroadcasti64x4(Weights, block.Plus(_valuesAt + 32 * step));
        a.Vpsrlw(Weights, Weights, 4, UpperWords);
        a.Vpandd(Weights, Weights, Fifteens);
        if (!high) return;
        // Bit 2·step of a byte goes to bit 4 in the lower lanes, bit 2·step + 1 in the upper; what crosses bytes is masked off.
        a.Vprolvd(Moved, HighBits, Twice(a, 4 - 2 * step & 31, 3 - 2 * step & 31));
        a.Vpternlogd(Weights, Moved, Sixteens, 0xf8);
    }
}
