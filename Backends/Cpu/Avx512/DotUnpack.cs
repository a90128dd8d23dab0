using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>How the blocks of a quantized type become unsigned bytes and scales in a dot product of decode: one subclass a layout.</summary>
internal abstract class DotUnpack
{
    /// <summary>Columns of a step.</summary>
    public abstract int Columns { get; }

    /// <summary>Bytes of a step.</summary>
    public abstract int Bytes { get; }

    /// <summary>Steps in the body of the loop.</summary>
    public abstract int StepsTogether { get; }

    /// <summary>Sets masks and constants, once for all rows.</summary>
    /// <param name="a">The code.</param>
    /// <param name="free">A register that may be used.</param>
    public abstract void Prepare(Assembler a, Gpr free);

    /// <summary>Adds the products of one step to the sums.</summary>
    /// <param name="a">The code.</param>
    /// <param name="shape">What it is written for.</param>
    /// <param name="i">The step within the loop's body: what it reads lies so many steps past the pointers.</param>
    /// <param name="half">Whether only the first half of its columns is there.</param>
    public abstract void Step(Assembler a, DotShape shape, int i, bool half);

    /// <summary>The layout of a type, or null.</summary>
    public static DotUnpack? For(string type) => type switch
    {
        "Q8_0" => Q8_0,
        "Q4_0" => Q4_0,
        "IQ4_NL" => IQ4_NL,
        "Q4_K" => Q4_K,
        "Q5_K" => Q5_K,
        "Q6_K" => Q6_K,
        _ => null,
    };

    private static readonly DotUnpack Q8_0 = new BytePairUnpack(), Q4_0 = new NibblePairUnpack(levels: null), IQ4_NL = new NibblePairUnpack(IQ4_NLBlock.Levels.ToArray());
    private static readonly DotUnpack Q4_K = new FiveBitUnpack(high: false), Q5_K = new FiveBitUnpack(high: true), Q6_K = new SixBitUnpack();

    protected static void SetMask(Assembler a, Mask mask, Gpr free, int bits)
    {
        a.MovImmediate(free, bits);
        a.Kmovq(mask, free);
    }

    /// <summary>sum += integers · scales.</summary>
    protected static void AddScaled(Assembler a, Zmm sum, Zmm integers, Zmm scales)
    {
        a.Vcvtdq2ps(integers, integers);
        a.Vfmadd231ps(sum, integers, scales);
    }
}

/// <summary>Two blocks of 32 columns that begin with a half scale.</summary>
internal abstract class PairUnpack(int blockBytes) : DotUnpack
{
    private static readonly Zmm ScaleOrder = new(22);

    protected static readonly Zmm Weights = new(8), Scale = new(9);

    public sealed override int Columns => 64;

    public sealed override int Bytes => 2 * blockBytes;

    public sealed override int StepsTogether => 4;

    /// <summary>By how many bits the starts, which take off 128, are too large for the type's zero point.</summary>
    protected abstract int StartShift { get; }

    public override void Prepare(Assembler a, Gpr free)
    {
        int second = blockBytes / 2 << 16 | blockBytes / 2;   // the second scale is so many halves from the first
        a.Vmovdqu32(ScaleOrder, a.Lanes(0, 0, 0, 0, second, second, second, second), 256);
    }

    public sealed override void Step(Assembler a, DotShape shape, int i, bool half)
    {
        var first = new Mem(DotCode.W, i * Bytes);
        Load(a, first, half);
        SpreadScales(a, first, half);
        for (int t = 0; t < shape.Rows; t++)
        {
            Zmm integers = new(10 + t), scales = new(14 + t);
            if (StartShift == 0) a.Vmovdqu32(integers, DotCode.Starts(shape, t, i * Columns));
            else a.Vpsrad(integers, DotCode.Starts(shape, t, i * Columns), StartShift);
            a.Vpdpbusd(integers, Weights, DotCode.Values(shape, t, i * Columns));
            a.Vmulps(scales, Scale, DotCode.Scales(shape, t, i * Columns));
            AddScaled(a, DotCode.Sum(t, i), integers, scales);
        }
    }

    /// <summary>Each block's scale in its eight lanes.</summary>
    private void SpreadScales(Assembler a, Mem first, bool half)
    {
        if (!half)
        {
            a.Vpermw(Scale, ScaleOrder, first, Bytes >= 64 ? 512 : 256);   // no more bytes than the two blocks have
            a.Vcvtph2ps(Scale, Scale);
            return;
        }
        a.Vpbroadcastd(Scale, first, 256);
        a.Vcvtph2ps(Scale, Scale);
        a.Vmovsldup(Scale, Scale);
    }

    /// <summary>The 64 columns as unsigned bytes; those of a missing second block meet zeros.</summary>
    protected abstract void Load(Assembler a, Mem first, bool half);
}

/// <summary>Q8_0: signed bytes, made unsigned by adding 128.</summary>
internal sealed class BytePairUnpack() : PairUnpack(34)
{
    private static readonly Zmm Signs = new(20);

    protected override int StartShift => 0;

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

/// <summary>Q4_0 and IQ4_NL: the first sixteen columns in the low halves of sixteen bytes, the others in the high halves.</summary>
/// <param name="levels">The sixteen values of IQ4_NL; null = q − 8.</param>
internal sealed class NibblePairUnpack(sbyte[]? levels) : PairUnpack(18)
{
    private static readonly Mask SecondBlock = new(2), HighHalves = new(3);

    private static readonly Zmm Fifteens = new(20), Levels = new(21);

    protected override int StartShift => levels == null ? 4 : 0;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        SetMask(a, SecondBlock, free, 0xff00);
        SetMask(a, HighHalves, free, unchecked((int)0xff00ff00));
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        if (levels == null) return;
        Span<int> lifted = stackalloc int[16];
        lifted.Clear();
        for (int i = 0; i < 16; i++) lifted[i / 4] |= (levels[i] + 128) << 8 * (i % 4);
        a.Vbroadcasti32x4(Levels, a.Lanes(lifted));
    }

    protected override void Load(Assembler a, Mem first, bool half)
    {
        a.Vbroadcasti32x4(Weights, first.Plus(2));
        if (!half) a.Vbroadcasti32x4(Weights, first.Plus(20), SecondBlock);
        a.Vpsrlw(Weights, Weights, 4, HighHalves);
        a.Vpandd(Weights, Weights, Fifteens);
        if (levels != null) a.Vpshufb(Weights, Levels, Weights);
    }
}
