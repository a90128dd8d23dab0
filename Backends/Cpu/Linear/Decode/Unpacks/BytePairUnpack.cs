namespace MambaRT.Backends.Cpu;

/// <summary>Q8_0: signed bytes, made unsigned by adding 128.</summary>
internal sealed class BytePairUnpack() : PairUnpack(blockBytes: 34, hasOffset: false, startShift: 0)
{
    private static readonly Zmm Signs = new(20);

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Signs, a.Constant(unchecked((int)0x80808080)));
    }

    protected override void Load(Assembler a, Mem first, bool half)
    {
        a.Vmovdqu32(Weights, first.Plus(2), 256);
        if (!half) a.Vinserti64x4(Weights, Weights, first.Plus(36), 1);
        a.Vpxord(Weights, Weights, Signs);
    }
}
