namespace MambaRT.Backends.Cpu;

/// <summary>Four bits: the first sixteen columns in the low halves of sixteen bytes, the others in the high halves. Q4_0 is taken sixteenfold, so that its zero is 128.</summary>
/// <param name="blockBytes">Bytes of a block.</param>
/// <param name="valuesAt">Where its sixteen bytes of columns lie.</param>
/// <param name="levels">The sixteen values of IQ4_NL; null = q − 8.</param>
internal sealed class TransposedNibbles(int blockBytes, int valuesAt, sbyte[]? levels) : TransposedUnpack(blockBytes, columns: 32, group: 32, hasOffset: false)
{
    private static readonly Zmm Halves = new(28), Levels = new(29);

    public override int Steps => 1;

    public override int Chunks => 1;

    public override int Parts => 2;

    public override int GroupsOfStep => 1;

    public override void Prepare(Assembler a)
    {
        a.Vpbroadcastd(Halves, a.Constant(levels == null ? unchecked((int)0xf0f0f0f0) : 0x0f0f0f0f));
        if (levels != null) DotUnpack.LoadLevels(a, Levels, levels);
    }

    public override void Scales(Assembler a, int rowBytes)
    {
        Zmm scale = TransposedDotCode.Scale;
        TransposedDotCode.LoadHalves(a, scale, rowBytes, 0);
        if (levels == null) a.Vmulps(scale, scale, a.Constant(1 / 16f));
        a.VmovupsStore(TransposedDotCode.Stored(0), scale);
    }

    public override int BytesAt(int step, int chunk) => valuesAt;

    public override int ColumnAt(int step, int chunk, int part) => 16 * part;

    public override Zmm Quad(Assembler a, int step, int chunk, int part, int j)
    {
        Zmm quad = TransposedDotCode.Free(4 * part + j), raw = TransposedDotCode.Raw(j);
        bool shifted = part == 0 == (levels == null);   // to the upper halves, or to the lower
        if (shifted && levels == null) a.Vpslld(quad, raw, 4);
        else if (shifted) a.Vpsrld(quad, raw, 4);
        a.Vpandd(quad, shifted ? quad : raw, Halves);
        if (levels != null) a.Vpshufb(quad, Levels, quad);
        return quad;
    }
}
