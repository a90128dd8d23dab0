namespace MambaRT.Backends.Cpu;

/// <summary>Q6_K: sixteen groups of 16 columns with 8-bit scales. A column is taken fourfold, so that its zero is 128.</summary>
/// <remarks>
/// Step 4h + 2c + w takes bytes 64h + 32w + 16c on: their low halves are columns 128h + 32w + 16c on, their high halves those 64 later. The upper two bits
/// of both are in bytes 32h + 16c on of the 64 that follow: pair w for the low halves, pair w + 2 for the high.
/// </remarks>
internal sealed unsafe class TransposedSixBits() : TransposedUnpack(sizeof(Q6_KBlock), columns: 256, group: 16, hasOffset: false)
{
    private const int HighStored = 16;

    private static readonly int LowAt = Fields.OffsetOf<Q6_KBlock>(b => &b->ql), HighAt = Fields.OffsetOf<Q6_KBlock>(b => &b->qh);
    private static readonly int ScalesAt = Fields.OffsetOf<Q6_KBlock>(b => &b->scales), ScaleAt = Fields.OffsetOf<Q6_KBlock>(b => &b->d);

    private static readonly Zmm LowBits = new(28), HighBits = new(29), D = new(4), U = new(5);

    public override int Steps => 8;

    public override int Chunks => 1;

    public override int Parts => 2;

    public override int GroupsOfStep => 2;

    public override void Prepare(Assembler a)
    {
        a.Vpbroadcastd(LowBits, a.Constant(0x3c3c3c3c));
        a.Vpbroadcastd(HighBits, a.Constant(unchecked((int)0xc0c0c0c0)));
    }

    public override void Scales(Assembler a, int rowBytes)
    {
        TransposedDotCode.LoadHalves(a, D, rowBytes, ScaleAt);
        a.Vmulps(D, D, a.Constant(1 / 4f));
        TransposedDotCode.Transpose(a, rowBytes, ScalesAt);
        for (int i = 0; i < 16; i++)
        {
            Zmm four = TransposedDotCode.Raw(i / 4);
            if (i % 4 < 3) a.Vpslld(U, four, 24 - 8 * (i % 4));
            a.Vpsrad(U, i % 4 < 3 ? U : four, 24);
            a.Vcvtdq2ps(U, U);
            a.Vmulps(U, U, D);
            a.VmovupsStore(TransposedDotCode.Stored(i), U);
        }
        for (int chunk = 0; chunk < 4; chunk++) TransposedDotCode.StoreTransposed(a, rowBytes, HighAt + 16 * chunk, HighStored + 4 * chunk);
    }

    public override int BytesAt(int step, int chunk) => LowAt + 64 * (step / 4) + 32 * (step % 2) + 16 * (step / 2 % 2);

    public override int ColumnAt(int step, int chunk, int part) => 128 * (step / 4) + 32 * (step % 2) + 64 * part + 16 * (step / 2 % 2);

    public override Zmm Quad(Assembler a, int step, int chunk, int part, int j)
    {
        Zmm quad = TransposedDotCode.Free(4 * part + j), raw = TransposedDotCode.Raw(j), moved = new(12 + part);
        if (part == 0) a.Vpslld(quad, raw, 2);
        else a.Vpsrld(quad, raw, 2);
        a.Vpandd(quad, quad, LowBits);
        Mem bits = TransposedDotCode.Stored(HighStored + 4 * (step / 2) + j);
        int pair = step % 2 + 2 * part;
        if (pair < 3) a.Vpslld(moved, bits, 6 - 2 * pair);
        if (pair < 3) a.Vpternlogd(quad, moved, HighBits, 0xf8);
        else a.Vpternlogd(quad, HighBits, bits, 0xf8);
        return quad;
    }
}
