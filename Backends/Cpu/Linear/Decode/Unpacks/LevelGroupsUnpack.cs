namespace MambaRT.Backends.Cpu;

/// <summary>IQ4_XS: eight groups of 32 with 6-bit scales; a column is an index into sixteen levels.</summary>
internal sealed unsafe class LevelGroupsUnpack(sbyte[] levels) : GroupsUnpack(sizeof(IQ4_XSBlock), startShift: 0)
{
    private static readonly int LowScalesAt = Fields.OffsetOf<IQ4_XSBlock>(b => &b->sl), ValuesAt = Fields.OffsetOf<IQ4_XSBlock>(b => &b->qs);

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
