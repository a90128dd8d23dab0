namespace MambaRT.Backends.Cpu;

/// <summary>Four blocks of 32 columns in four bits: their low halves are one vector of bytes, their high halves another, and both sum into the same lanes.</summary>
/// <remarks>A block has four lanes, so scaling is done once for 128 columns. A row that ends with fewer blocks goes on in pairs.</remarks>
/// <param name="blockBytes">Bytes of a block.</param>
/// <param name="valuesAt">Where its sixteen bytes of columns lie.</param>
/// <param name="hasOffset">Whether an offset follows the scale.</param>
/// <param name="startShift">How −128 becomes the type's zero point; null = it is 0.</param>
/// <param name="levels">The sixteen values of IQ4_NL; null = q itself.</param>
internal sealed class NibbleQuadUnpack(int blockBytes, int valuesAt, bool hasOffset, int? startShift, sbyte[]? levels) : DotUnpack
{
    private static readonly Zmm Low = new(8), High = new(9), Scale = new(18), Offset = new(19);

    // The registers of the pairs, which use 20 to 25 for constants too.
    private static readonly Zmm Fifteens = new(20), Levels = new(21), ScaleOrder = new(26);

    private readonly NibblePairUnpack _pairs = new(blockBytes, valuesAt, highBitsAt: null, hasOffset, startShift, levels);

    public override int Columns => RowLanes.QuadColumns;

    public override int Bytes => 4 * blockBytes;

    public override int StepsTogether => 2;

    public override int SuperBytes => RowLanes.QuadBytes;

    public override void Prepare(Assembler a, Gpr free)
    {
        _pairs.Prepare(a, free);
        Span<int> order = stackalloc int[16];
        order.Clear();
        for (int block = 0; block < 4; block++) order.Slice(2 * block, 2).Fill((block * blockBytes / 2) * 0x10001);   // in halves
        a.Vmovdqu32(ScaleOrder, a.Lanes(order));
    }

    public override void Step(Assembler a, DotShape shape, DotStream w, int i)
    {
        Mem first = w.At(i * Bytes);
        a.Vmovdqu32(Low, first.Plus(valuesAt), 128);
        for (int block = 1; block < 4; block++) a.Vinserti32x4(Low, Low, first.Plus(block * blockBytes + valuesAt), block, 512);
        a.Vpsrlw(High, Low, 4);
        a.Vpandd(Low, Low, Fifteens);
        a.Vpandd(High, High, Fifteens);
        if (levels != null)
        {
            a.Vpshufb(Low, Levels, Low);
            a.Vpshufb(High, Levels, High);
        }
        a.Vpermw(Scale, ScaleOrder, first, 512);
        a.Vcvtph2ps(Scale, Scale);
        if (hasOffset)
        {
            a.Vpermw(Offset, ScaleOrder, first.Plus(HalfBytes), 512);
            a.Vcvtph2ps(Offset, Offset);
        }
        for (int t = 0; t < shape.Rows; t++)
        {
            Zmm integers = new(10 + t), scales = new(14 + t);
            Begin(a, integers, DotCode.Quad(shape, t, i, RowLanes.QuadStarts), startShift);
            a.Vpdpbusd(integers, Low, DotCode.Quad(shape, t, i, 0));
            a.Vpdpbusd(integers, High, DotCode.Quad(shape, t, i, RowLanes.QuadHighValues));
            a.Vmulps(scales, Scale, DotCode.Quad(shape, t, i, RowLanes.QuadScales));
            AddScaled(a, w.Sum(t), integers, scales);
            if (hasOffset) a.Vfmadd231ps(w.Sum(t), Offset, DotCode.Quad(shape, t, i, RowLanes.QuadSums));
        }
    }

    public override void Part(Assembler a, DotShape shape, DotStream w, int i, int columns)
    {
        for (int at = 0; at < columns; at += _pairs.Columns) _pairs.StepAt(a, shape, w, i * Columns + at, half: columns - at == 32);
    }
}
