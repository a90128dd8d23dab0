namespace MambaRT.Backends.Cpu;

/// <summary>Q8_0: signed bytes, made unsigned by adding 128.</summary>
internal sealed unsafe class TransposedBytes() : TransposedUnpack(sizeof(Q8_0Block), columns: 32, group: 32, hasOffset: false)
{
    private static readonly int ValuesAt = Fields.OffsetOf<Q8_0Block>(b => &b->qs);

    private static readonly Zmm Signs = new(28);

    public override int Steps => 1;

    public override int Chunks => 2;

    public override int Parts => 1;

    public override int GroupsOfStep => 1;

    public override void Prepare(Assembler a) => a.Vpbroadcastd(Signs, a.Constant(unchecked((int)0x80808080)));

    public override void Scales(Assembler a, int rowBytes)
    {
        TransposedDotCode.LoadHalves(a, TransposedDotCode.Scale, rowBytes, 0);
        a.VmovupsStore(TransposedDotCode.Stored(0), TransposedDotCode.Scale);
    }

    public override int BytesAt(int step, int chunk) => ValuesAt + 16 * chunk;

    public override int ColumnAt(int step, int chunk, int part) => 16 * chunk;

    public override Zmm Quad(Assembler a, int step, int chunk, int part, int j)
    {
        Zmm raw = TransposedDotCode.Raw(j);
        a.Vpxord(raw, raw, Signs);
        return raw;
    }
}
