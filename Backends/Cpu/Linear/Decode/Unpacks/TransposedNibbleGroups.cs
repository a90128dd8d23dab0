namespace MambaRT.Backends.Cpu;

/// <summary>Q4_K and Q5_K: eight groups of 32 columns, two of them in the low and the high halves of 32 bytes, with 6-bit scales and minima.</summary>
/// <param name="high">Whether there are fifth bits: bit g of 32 bytes for group g.</param>
internal sealed unsafe class TransposedNibbleGroups(bool high) : TransposedUnpack(high ? sizeof(Q5_KBlock) : sizeof(Q4_KBlock), columns: 256, group: 32, hasOffset: true)
{
    private const int Groups = 8, HighStored = 2 * Groups;

    private static readonly int HighAt = Fields.OffsetOf<Q5_KBlock>(b => &b->qh);

    private static readonly Zmm Fifteens = new(28), Sixteens = new(29), D = new(4), Minimum = new(5), T = new(6), U = new(7);

    private readonly int _valuesAt = high ? Fields.OffsetOf<Q5_KBlock>(b => &b->qs) : Fields.OffsetOf<Q4_KBlock>(b => &b->qs);

    public override int Steps => Groups / 2;

    public override int Chunks => 2;

    public override int Parts => 2;

    public override int GroupsOfStep => 2;

    public override void Prepare(Assembler a)
    {
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        if (high) a.Vpbroadcastd(Sixteens, a.Constant(0x10101010));
    }

    /// <remarks>
    /// A row's first sixteen bytes are four ints: d and dmin, then u0, u1, u2 of which the scales are u0 and (u2, top of u0), the minima u1 and
    /// (u2 &gt;&gt; 4, top of u1).
    /// </remarks>
    public override void Scales(Assembler a, int rowBytes)
    {
        TransposedDotCode.Transpose(a, rowBytes, 0);
        Zmm halves = TransposedDotCode.Raw(0), u2 = TransposedDotCode.Raw(3);
        a.Vpmovdw(T, halves);
        a.Vcvtph2ps(D, T);
        a.Vpsrld(T, halves, 16);
        a.Vpmovdw(T, T);
        a.Vcvtph2ps(Minimum, T);
        a.Vpxord(Minimum, Minimum, a.Constant(int.MinValue));
        for (int which = 0; which < 2; which++)
        {
            Zmm u = TransposedDotCode.Raw(1 + which), factor = which == 0 ? D : Minimum;
            a.Vpandd(T, u, a.Constant(0x3f3f3f3f));
            Spread(a, T, factor, which * Groups);
            a.Vpsrld(u, u, 2);
            a.Vpandd(u, u, a.Constant(0x30303030));
            if (which == 1) a.Vpsrld(u2, u2, 4);
            a.Vpandd(T, u2, Fifteens);
            a.Vpord(T, T, u);
            Spread(a, T, factor, which * Groups + 4);
        }
        for (int chunk = 0; high && chunk < 2; chunk++) TransposedDotCode.StoreTransposed(a, rowBytes, HighAt + 16 * chunk, HighStored + 4 * chunk);
    }

    public override int BytesAt(int step, int chunk) => _valuesAt + 32 * step + 16 * chunk;

    public override int ColumnAt(int step, int chunk, int part) => 64 * step + 32 * part + 16 * chunk;

    public override Zmm Quad(Assembler a, int step, int chunk, int part, int j)
    {
        Zmm quad = TransposedDotCode.Free(4 * part + j), raw = TransposedDotCode.Raw(j), moved = new(12 + part);
        if (part == 1) a.Vpsrld(quad, raw, 4);
        a.Vpandd(quad, part == 1 ? quad : raw, Fifteens);
        if (!high) return quad;
        int group = 2 * step + part;
        Mem bits = TransposedDotCode.Stored(HighStored + 4 * chunk + j);
        if (group <= 4) a.Vpslld(moved, bits, 4 - group);
        else a.Vpsrld(moved, bits, group - 4);
        a.Vpternlogd(quad, moved, Sixteens, 0xf8);
        return quad;
    }

    /// <summary>Stores each of four unsigned bytes times a factor.</summary>
    private static void Spread(Assembler a, Zmm four, Zmm factor, int at)
    {
        for (int i = 0; i < 4; i++)
        {
            if (i > 0) a.Vpsrld(U, four, 8 * i);
            if (i < 3) a.Vpandd(U, i > 0 ? U : four, a.Constant(255));
            a.Vcvtdq2ps(U, U);
            a.Vmulps(U, U, factor);
            a.VmovupsStore(TransposedDotCode.Stored(at + i), U);
        }
    }
}
