namespace MambaRT.Backends.Cpu;

/// <summary>Q2_K: sixteen groups of 16 with 4-bit scales and minima.</summary>
internal sealed unsafe class TwoBitUnpack() : GroupsUnpack(sizeof(Q2_KBlock), startShift: null)
{
    private static readonly int ScalesAt = Fields.OffsetOf<Q2_KBlock>(b => &b->scales), ValuesAt = Fields.OffsetOf<Q2_KBlock>(b => &b->qs);
    private static readonly int ScaleAt = Fields.OffsetOf<Q2_KBlock>(b => &b->d);

    private static readonly Zmm Threes = new(20), ScaleOrder = new(21), MinimumOrder = new(22), Minima = C;

    protected override int Group => 16;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Threes, a.Constant(0x03030303));
        a.Vpxord(ScaleOrder, ScaleOrder, ScaleOrder);
        a.Vpbroadcastd(MinimumOrder, a.Constant(1));
    }

    protected override void Scales(Assembler a, Mem block)
    {
        a.Vpmovzxbd(A, block.Plus(ScalesAt));
        a.Vpbroadcastd(B, block.Plus(ScaleAt), 128);
        a.Vcvtph2ps(B, B, 128);   // d, dmin
        a.Vpandd(Groups, A, a.Constant(15));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpermps(D, ScaleOrder, B);
        a.Vmulps(Groups, Groups, D);
        a.Vpsrld(A, A, 4);
        a.Vcvtdq2ps(Minima, A);
        a.Vpermps(D, MinimumOrder, B);
        a.Vmulps(Minima, Minima, D);
    }

    protected override void ScaleRow(Assembler a, DotShape shape, DotStream w, int t)
    {
        base.ScaleRow(a, shape, w, t);
        a.Vfmadd231ps(w.Sum(t), Minima, DotCode.SmallSums(shape, t));
    }

    /// <summary>Bits 0 and 1, then 2 and 3, of 32 bytes; or 4 and 5, then 6 and 7.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        a.Vbroadcasti64x4(Weights, block.Plus(ValuesAt + 32 * (step / 2)));
        a.Vpsrlvd(Weights, Weights, Twice(a, 4 * (step % 2), 4 * (step % 2) + 2));
        a.Vpandd(Weights, Weights, Threes);
    }
}
