namespace MambaRT.Backends.Cpu;

/// <summary>Q3_K: sixteen groups of 16 with 6-bit scales; the third bits lie apart.</summary>
internal sealed unsafe class ThreeBitUnpack() : GroupsUnpack(sizeof(Q3_KBlock), startShift: 5)
{
    private static readonly int HighAt = Fields.OffsetOf<Q3_KBlock>(b => &b->hmask), ValuesAt = Fields.OffsetOf<Q3_KBlock>(b => &b->qs);
    private static readonly int ScalesAt = Fields.OffsetOf<Q3_KBlock>(b => &b->scales), ScaleAt = Fields.OffsetOf<Q3_KBlock>(b => &b->d);

    private static readonly Zmm Threes = new(20), Fours = new(21), ScaleOrder = new(22), HighBits = C, Moved = D;

    protected override int Group => 16;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Threes, a.Constant(0x03030303));
        a.Vpbroadcastd(Fours, a.Constant(0x04040404));
        a.Vpbroadcastd(ScaleOrder, a.Constant(1));
    }

    /// <remarks>
    /// The low four bits of scale g are a half of byte g mod 8, the high two a pair of bits of byte 8 + g mod 4. The load begins two bytes before the
    /// scales, so that nothing past the block is read.
    /// </remarks>
    protected override void Scales(Assembler a, Mem block)
    {
        a.Vmovdqu32(A, block.Plus(ScalesAt - 2), 128);
        a.Vpshufb(B, A, a.Lanes(0x0d0c0b0a, 0x0d0c0b0a, 0x0d0c0b0a, 0x0d0c0b0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
        a.Vpshufb(A, A, a.Lanes(0x05040302, 0x09080706, 0x05040302, 0x09080706, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
        a.Vpmovzxbd(Groups, A);
        a.Vpsrlvd(Groups, Groups, Twice(a, 0, 4));
        a.Vpandd(Groups, Groups, a.Constant(15));
        a.Vpmovzxbd(B, B);
        a.Vpsrlvd(B, B, a.Lanes(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6));
        a.Vpandd(B, B, a.Constant(3));
        a.Vpslld(B, B, 4);
        a.Vpord(Groups, Groups, B);
        a.Vpsubd(Groups, Groups, a.Constant(32));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpbroadcastd(B, block.Plus(ScaleAt - HalfBytes), 128);
        a.Vcvtph2ps(B, B, 128);
        a.Vpermps(B, ScaleOrder, B);
        a.Vmulps(Groups, Groups, B);
        a.Vbroadcasti64x4(HighBits, block.Plus(HighAt));
    }

    /// <summary>Two pairs of bits of 32 bytes, and above them two bits of the mask, which go to bit 2; what crosses bytes is masked off.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        a.Vbroadcasti64x4(Weights, block.Plus(ValuesAt + 32 * (step / 2)));
        a.Vpsrlvd(Weights, Weights, Twice(a, 4 * (step % 2), 4 * (step % 2) + 2));
        a.Vpandd(Weights, Weights, Threes);
        a.Vprolvd(Moved, HighBits, Twice(a, 2 - 2 * step & 31, 1 - 2 * step & 31));
        a.Vpternlogd(Weights, Moved, Fours, 0xf8);
    }
}
