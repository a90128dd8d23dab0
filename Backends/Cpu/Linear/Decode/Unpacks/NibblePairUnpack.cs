namespace MambaRT.Backends.Cpu;

/// <summary>Four and five bits: the first sixteen columns in the low halves of sixteen bytes, the others in the high halves.</summary>
/// <param name="blockBytes">Bytes of a block.</param>
/// <param name="valuesAt">Where its sixteen bytes of columns lie.</param>
/// <param name="highBitsAt">Where the 32 fifth bits lie; null = there are none.</param>
/// <param name="hasOffset">Whether an offset follows the scale.</param>
/// <param name="startShift">How −128 becomes the type's zero point; null = it is 0.</param>
/// <param name="levels">The sixteen values of IQ4_NL; null = q itself.</param>
internal sealed class NibblePairUnpack(int blockBytes, int valuesAt, int? highBitsAt, bool hasOffset, int? startShift, sbyte[]? levels) : PairUnpack(blockBytes, hasOffset, startShift)
{
    private static readonly Mask SecondBlock = new(2), HighHalves = new(3), FirstBits = new(4), SecondBits = new(5);

    private static readonly Zmm Fifteens = new(20), Levels = new(21), Sixteens = new(25);

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        SetMask(a, SecondBlock, free, 0xff00);
        SetMask(a, HighHalves, free, unchecked((int)0xff00ff00));
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        if (levels != null) LoadLevels(a, Levels, levels);
        if (highBitsAt != null) a.Vpbroadcastd(Sixteens, a.Constant(0x10101010));
    }

    protected override void Load(Assembler a, Mem first, bool half)
    {
        a.Vbroadcasti32x4(Weights, first.Plus(valuesAt));
        if (!half) a.Vbroadcasti32x4(Weights, first.Plus(BlockBytes + valuesAt), SecondBlock);
        a.Vpsrlw(Weights, Weights, 4, HighHalves);
        a.Vpandd(Weights, Weights, Fifteens);
        if (levels != null) a.Vpshufb(Weights, Levels, Weights);
        if (highBitsAt is not int at) return;
        a.Kmovd(FirstBits, first.Plus(at));
        if (!half)
        {
            a.Kmovd(SecondBits, first.Plus(BlockBytes + at));
            a.Kunpckdq(FirstBits, SecondBits, FirstBits);
        }
        a.Vpaddb(Weights, Weights, Sixteens, FirstBits);
    }
}
