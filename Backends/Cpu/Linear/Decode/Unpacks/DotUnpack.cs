namespace MambaRT.Backends.Cpu;

/// <summary>How the blocks of a quantized type become unsigned bytes and scales in a dot product of decode: one subclass a layout.</summary>
internal abstract unsafe class DotUnpack
{
    private static readonly sbyte[] Levels = IQ4_NLBlock.Levels.ToArray();

    private static readonly Dictionary<string, DotUnpack> Layouts = new()
    {
        ["Q8_0"] = new BytePairUnpack(),
        ["Q4_0"] = new NibbleQuadUnpack(sizeof(Q4_0Block), Fields.OffsetOf<Q4_0Block>(b => &b->qs), hasOffset: false, startShift: 4, levels: null),
        ["Q4_1"] = new NibbleQuadUnpack(sizeof(Q4_1Block), Fields.OffsetOf<Q4_1Block>(b => &b->qs), hasOffset: true, startShift: null, levels: null),
        ["Q5_0"] = new NibblePairUnpack(
            sizeof(Q5_0Block), Fields.OffsetOf<Q5_0Block>(b => &b->qs), Fields.OffsetOf<Q5_0Block>(b => &b->h), hasOffset: false, startShift: 3, levels: null),
        ["Q5_1"] = new NibblePairUnpack(
            sizeof(Q5_1Block), Fields.OffsetOf<Q5_1Block>(b => &b->qs), Fields.OffsetOf<Q5_1Block>(b => &b->h), hasOffset: true, startShift: null, levels: null),
        ["IQ4_NL"] = new NibbleQuadUnpack(sizeof(IQ4_NLBlock), Fields.OffsetOf<IQ4_NLBlock>(b => &b->qs), hasOffset: false, startShift: 0, Levels),
        ["IQ4_XS"] = new LevelGroupsUnpack(Levels),
        ["Q4_K"] = new NibbleGroupsUnpack(high: false),
        ["Q5_K"] = new NibbleGroupsUnpack(high: true),
        ["Q2_K"] = new TwoBitUnpack(),
        ["Q3_K"] = new ThreeBitUnpack(),
        ["Q6_K"] = new SixBitUnpack(),
    };

    /// <summary>Bytes of a scale or an offset.</summary>
    protected const int HalfBytes = sizeof(ushort);

    /// <summary>Columns of a step.</summary>
    public abstract int Columns { get; }

    /// <summary>Bytes of a step.</summary>
    public abstract int Bytes { get; }

    /// <summary>Steps in the body of the loop.</summary>
    public abstract int StepsTogether { get; }

    /// <summary>Bytes that a step takes of what lies beside the columns: supers or quads; 0 for none.</summary>
    public abstract int SuperBytes { get; }

    /// <summary>Rows that <see cref="Staging"/> has unpacked.</summary>
    public static DotUnpack Staged { get; } = new StagedUnpack();

    /// <summary>The layout of a type, or null.</summary>
    public static DotUnpack? For(string type) => Layouts.GetValueOrDefault(type);

    /// <summary>Sets masks and constants, once for all rows.</summary>
    /// <param name="a">The code.</param>
    /// <param name="free">A register that may be used.</param>
    public abstract void Prepare(Assembler a, Gpr free);

    /// <summary>Adds the products of one step to the sums.</summary>
    /// <param name="a">The code.</param>
    /// <param name="shape">What it is written for.</param>
    /// <param name="w">The weight row.</param>
    /// <param name="i">The step within the loop's body: what it reads lies so many steps past the pointers.</param>
    public abstract void Step(Assembler a, DotShape shape, DotStream w, int i);

    /// <summary>Adds the products of the last columns of a row, fewer than a step has; <paramref name="columns"/> is a multiple of 32.</summary>
    public abstract void Part(Assembler a, DotShape shape, DotStream w, int i, int columns);

    protected static void SetMask(Assembler a, Mask mask, Gpr free, int bits)
    {
        a.MovImmediate(free, bits);
        a.Kmovq(mask, free);
    }

    /// <summary>The sixteen levels of IQ4, 128 higher, in every quarter: a table for <see cref="Assembler.Vpshufb"/>.</summary>
    public static void LoadLevels(Assembler a, Zmm to, ReadOnlySpan<sbyte> levels)
    {
        Span<int> lifted = stackalloc int[4];
        lifted.Clear();
        for (int i = 0; i < levels.Length; i++) lifted[i / 4] |= (levels[i] + 128) << 8 * (i % 4);
        a.Vbroadcasti32x4(to, a.Lanes(lifted));
    }

    /// <summary>integers = −zero·Σx of each lane, from starts that are −128·Σx.</summary>
    protected static void Begin(Assembler a, Zmm integers, Mem starts, int? shift)
    {
        if (shift is null) a.Vpxord(integers, integers, integers);
        else if (shift == 0) a.Vmovdqu32(integers, starts);
        else a.Vpsrad(integers, starts, shift.Value);
    }

    /// <summary>sum += integers · scales.</summary>
    protected static void AddScaled(Assembler a, Zmm sum, Zmm integers, Zmm scales)
    {
        a.Vcvtdq2ps(integers, integers);
        a.Vfmadd231ps(sum, integers, scales);
    }

    /// <summary>Eight lanes of each.</summary>
    protected static Mem Twice(Assembler a, int lower, int upper)
    {
        Span<int> lanes = stackalloc int[16];
        lanes[..8].Fill(lower);
        lanes[8..].Fill(upper);
        return a.Lanes(lanes);
    }
}
