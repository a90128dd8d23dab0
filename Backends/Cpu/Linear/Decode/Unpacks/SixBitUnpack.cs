namespace MambaRT.Backends.Cpu;

/// <summary>Q6_K: sixteen groups of 16 with 8-bit scales.</summary>
internal sealed unsafe class SixBitUnpack() : GroupsUnpack(sizeof(Q6_KBlock), startShift: 2)
{
    private static readonly int LowAt = Fields.OffsetOf<Q6_KBlock>(b => &b->ql), HighAt = Fields.OffsetOf<Q6_KBlock>(b => &b->qh);
    private static readonly int ScalesAt = Fields.OffsetOf<Q6_KBlock>(b => &b->scales), ScaleAt = Fields.OffsetOf<Q6_KBlock>(b => &b->d);

    private static readonly Zmm Fifteens = new(20), HighMask = new(21), ScaleOrder = new(22), Low = A, High = B, Moved = C;

    protected override int Group => 16;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        a.Vpbroadcastd(HighMask, a.Constant(0x30303030));
        a.Vpbroadcastd(ScaleOrder, a.Constant(1));
    }

    protected override void Scales(Assembler a, Mem block)
    {
        a.Vpmovsxbd(Groups, block.Plus(ScalesAt));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpbroadcastd(D, block.Plus(ScaleAt - HalfBytes), 128);   // the two bytes before d, so that nothing past the block is read
        a.Vcvtph2ps(D, D, 128);
        a.Vpermps(D, ScaleOrder, D);
        a.Vmulps(Groups, Groups, D);
    }

    /// <summary>Low or high halves of 64 bytes, and two of the four pairs of high bits of 32 bytes.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        if (step % 2 == 0)
        {
            a.Vmovdqu32(Low, block.Plus(LowAt + 64 * (step / 2)));
            a.Vbroadcasti64x4(High, block.Plus(HighAt + 32 * (step / 2)));
            a.Vpandd(Weights, Low, Fifteens);
            a.Vpsllvd(Moved, High, Twice(a, 4, 2));
        }
        else
        {
            a.Vpsrlw(Weights, Low, 4);
            a.Vpandd(Weights, Weights, Fifteens);
            a.Vpsrlvd(Moved, High, Twice(a, 0, 2));
        }
        a.Vpternlogd(Weights, Moved, HighMask, 0xf8);
    }
}
