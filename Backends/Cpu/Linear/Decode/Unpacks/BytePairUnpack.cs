namespace MambaRT.Backends.Cpu;

/// <summary>Q8_0: signed bytes, made unsigned by adding 128.</summary>
internal sealed unsafe class BytePairUnpack() : PairUnpack(sizeof(Q8_0Block), hasOffset: false, startShift: 0)
{
    private static readonly int ValuesAt = Fields.OffsetOf<Q8_0Block>(b => &b->qs);

    private static readonly Zmm Signs = new(20);

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Signs, a.Constant(unchecked((int)0x80808080)));
    }

    protected override void Load(Assembler a, Mem first, bool half)
    {
        a.Vmovdqu32(Weights, first.Plus(ValuesAt), 256);
        if (!half) a.Vinserti64x4(Weights, Weights, first.Plus(BlockBytes + ValuesAt), 1);
        a.Vpxord(Weights, Weights, Signs);
    }
}
