namespace MambaRT.Backends.Cpu;

/// <summary>Two blocks of 32 columns that begin with a half scale and, with an offset, a half offset.</summary>
internal abstract class PairUnpack(int blockBytes, bool hasOffset, int? startShift) : DotUnpack
{
    private static readonly Zmm ScaleOrder = new(22), Scale = new(9), Offset = new(23);

    protected static readonly Zmm Weights = new(8);

    public sealed override int Columns => 64;

    public sealed override int Bytes => 2 * BlockBytes;

    protected int BlockBytes { get; } = blockBytes;

    public sealed override int StepsTogether => 4;

    public sealed override int SuperBytes => 0;

    public override void Prepare(Assembler a, Gpr free)
    {
        int second = BlockBytes / 2 << 16 | BlockBytes / 2;   // the second scale is so many halves from the first
        a.Vmovdqu32(ScaleOrder, a.Lanes(0, 0, 0, 0, second, second, second, second), 256);
    }

    public sealed override void Step(Assembler a, DotShape shape, DotStream w, int i) => StepAt(a, shape, w, i * Columns, half: false);

    public sealed override void Part(Assembler a, DotShape shape, DotStream w, int i, int columns) => StepAt(a, shape, w, i * Columns, half: true);

    /// <summary>The blocks at a column past the present one: two, or one.</summary>
    public void StepAt(Assembler a, DotShape shape, DotStream w, int column, bool half)
    {
        Mem first = w.At(column / 32 * BlockBytes);
        Load(a, first, half);
        Spread(a, Scale, first, half, 0);
        if (hasOffset) Spread(a, Offset, first, half, 1);
        for (int t = 0; t < shape.Rows; t++)
        {
            Zmm integers = new(10 + t), scales = new(14 + t);
            Begin(a, integers, DotCode.Starts(shape, t, column), startShift);
            a.Vpdpbusd(integers, Weights, DotCode.Values(shape, t, column));
            a.Vmulps(scales, Scale, DotCode.Scales(shape, t, column));
            AddScaled(a, w.Sum(t), integers, scales);
            if (hasOffset) a.Vfmadd231ps(w.Sum(t), Offset, DotCode.Sums(shape, t, column));
        }
    }

    /// <summary>The 64 columns as unsigned bytes; those of a missing second block meet zeros.</summary>
    protected abstract void Load(Assembler a, Mem first, bool half);

    /// <summary>A half of each block, the scale or the offset, in the block's eight lanes.</summary>
    private void Spread(Assembler a, Zmm to, Mem first, bool half, int which)
    {
        if (half)
        {
            a.Vpbroadcastd(to, first, 256);   // scale and offset, or scale and what follows it
            a.Vcvtph2ps(to, to);
            if (which == 0) a.Vmovsldup(to, to);
            else a.Vmovshdup(to, to);
            return;
        }
        a.Vpermw(to, ScaleOrder, first.Plus(HalfBytes * which), Bytes >= 64 ? 512 : 256);   // no more bytes are read than the two blocks have
        a.Vcvtph2ps(to, to);
    }
}
