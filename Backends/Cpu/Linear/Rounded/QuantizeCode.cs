namespace MambaRT.Backends.Cpu;

/// <summary><c>QuantizedRows.Fill</c> for whole blocks of 32 columns over some rows, with the same results.</summary>
/// <remarks>Lanes are columns. A block is a chain of some forty instructions; blocks do not depend on one another, so the processor overlaps them.</remarks>
internal static unsafe class QuantizeCode
{
    private const Gpr X = Gpr.Rsi, Values = Gpr.Rdx, Scales = Gpr.Rcx, Starts = Gpr.R8, Starts16 = Gpr.R9, Sums = Gpr.R10, Sums16 = Gpr.R11;
    private const Gpr Block = Gpr.Rax, At = Gpr.Rbx, Left = Gpr.Rbp, Rows = Gpr.R12, Arguments = Gpr.Rdi;   // Block: 4 × the number of the block
    private const Gpr Lanes = Gpr.R13, LanesBlock = Gpr.R14, Place = Gpr.R15;

    private static readonly Gpr[] Saved = [At, Left, Rows, Lanes, LanesBlock, Place];
    private static readonly Zmm Low = new(0), High = new(1), Top = new(2), T = new(3), Inverse = new(4), Scale = new(5), Pair = new(6), Total = new(7), Fours = new(8);
    private static readonly Zmm Ones = new(16), Magnitude = new(17), Most = new(18), Zero = new(19);
    private static readonly Mask NotTiny = new(1), One = new(2), Two = new(3);

    public static void Emit(Assembler a, QuantizeShape shape)
    {
        foreach (Gpr saved in Saved) a.Push(saved);
        a.Mov(X, Argument(s => &s->X));
        a.Mov(Values, Argument(s => &s->Values));
        a.Mov(Scales, Argument(s => &s->Scales));
        a.Mov(Starts, Argument(s => &s->Starts));
        a.Mov(Starts16, Argument(s => &s->Starts16));
        a.Mov(Sums, Argument(s => &s->Sums));
        a.Mov(Sums16, Argument(s => &s->Sums16));
        a.Mov(Rows, Argument(s => &s->Rows));
        a.Mov(Lanes, Argument(s => &s->Lanes));
        a.MovImmediate(Left, 1);
        a.Kmovw(One, Left);
        a.MovImmediate(Left, 3);
        a.Kmovw(Two, Left);
        a.Vpbroadcastd(Ones, a.Constant(0x01010101));
        a.Vpbroadcastd(Magnitude, a.Constant(0x7fffffff));
        a.Vbroadcastss(Most, a.Constant(127f));
        a.Vpxord(Zero, Zero, Zero);
        int row = a.Position;
        a.Mov(At, X);
        a.Mov(Left, Argument(s => &s->Blocks));
        a.MovImmediate(Block, 0);
        a.Mov(LanesBlock, Argument(s => &s->LanesBlock));
        int block = a.Position;
        Round(a);
        Sum(a);
        if (shape.LanesWidth > 0) Spread(a, shape.LanesWidth);
        a.Add(At, QuantizedRows.Block * sizeof(float));
        a.Add(Block, sizeof(float));
        if (shape.LanesWidth > 0) a.Add(LanesBlock, sizeof(float));
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(block);
        a.Add(X, Argument(s => &s->XStride));
        a.Add(Values, shape.Stride * QuantizedRows.Block);
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[Scales, Starts, Sums]) a.Add(pointer, shape.Stride * sizeof(float));
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[Starts16, Sums16]) a.Add(pointer, 2 * shape.Stride * sizeof(float));
        if (shape.LanesWidth > 0) a.Add(Lanes, (int)RowLanes.RowBytesOf(shape.LanesWidth));
        a.Sub(Rows, 1);
        a.JumpBackIfNotZero(row);
        for (int i = Saved.Length - 1; i >= 0; i--) a.Pop(Saved[i]);
        a.Return();
    }

    private static Mem Argument(FieldOf<QuantizeArguments> field) => new Mem(Arguments).Field(field);

    /// <summary>scale = max|x| / 127 and values = round(x · (127 / max|x|)); a block of next to nothing becomes zeros.</summary>
    /// <remarks>The maximum is one of ints: magnitudes are in the order of their bits, with NaN above infinity, so that no NaN is lost.</remarks>
    private static void Round(Assembler a)
    {
        a.Vmovups(Low, new Mem(At));
        a.Vmovups(High, new Mem(At, 64));
        a.Vpandd(Top, Low, Magnitude);
        a.Vpandd(T, High, Magnitude);
        a.Vpmaxsd(Top, Top, T);
        a.Vextractf64x4(T, Top, 1);
        a.Vpmaxsd(Top, Top, T, 256);
        a.Vextractf32x4(T, Top, 1, 256);
        a.Vpmaxsd(Top, Top, T, 128);
        a.Vpshufd(T, Top, 0b01_00_11_10, 128);
        a.Vpmaxsd(Top, Top, T, 128);
        a.Vpshufd(T, Top, 0b10_11_00_01, 128);
        a.Vpmaxsd(Top, Top, T, 128);
        a.Vbroadcastss(T, a.Constant(QuantizedRows.Tiny));
        a.VcmppsLess(NotTiny, T, Top);
        a.Vdivps(Inverse, Most, Top, 128, NotTiny);
        a.Vdivps(Scale, Top, Most, 128, Mask.None);
        a.VmovupsStore(new Mem(Scales, 0, Block), Scale, 128, One);
        a.Vbroadcastss(Inverse, Inverse);
        a.Vmulps(Low, Low, Inverse);
        a.Vmulps(High, High, Inverse);
        a.Vcvtps2dq(Low, Low);
        a.Vcvtps2dq(High, High);
        a.Vpmovdb(Low, Low);
        a.Vpmovdb(High, High);
        a.Vinserti32x4(Low, Low, High, 1, 256);
        a.VmovupsStore(new Mem(Values, 0, Block, 8), Low, 256);
    }

    /// <summary>The sums of the halves and of the whole: as they are times −128, and times the scale.</summary>
    private static void Sum(Assembler a)
    {
        a.Vpxord(Fours, Fours, Fours);
        a.Vpdpbusd(Fours, Ones, Low, 256);
        a.Vpshufd(T, Fours, 0b01_00_11_10, 256);
        a.Vpaddd(Pair, Fours, T, 256);
        a.Vpshufd(T, Pair, 0b10_11_00_01, 256);
        a.Vpaddd(Pair, Pair, T, 256);
        a.Vextractf32x4(T, Pair, 1, 256);
        a.Vpaddd(Total, Pair, T, 128);
        a.Vunpcklps(Pair, Pair, T, 128);
        Store(a, Pair, new Mem(Sums16, 0, Block, 2), new Mem(Starts16, 0, Block, 2), 128, Two);
        Store(a, Total, new Mem(Sums, 0, Block), new Mem(Starts, 0, Block), 128, One);
    }

    /// <summary><c>RowLanes.Fill</c>: the block's values, scale and sums once more, a lane for each four columns.</summary>
    private static void Spread(Assembler a, int width)
    {
        int lanes = (int)RowLanes.LanesOf(width) * sizeof(float);
        var eight = new Mem(Lanes, 0, LanesBlock, 8);
        a.Vbroadcastss(Scale, Scale);
        a.VmovupsStore(eight.Plus(lanes), Scale, 256);
        Store(a, Fours, eight.Plus(2 * lanes), eight, 256);
        SpreadSupers(a, 3 * lanes);
        SpreadQuad(a, (int)RowLanes.QuadsAt(width));
    }

    /// <summary>The block's scale and negated sums among those of its 256 columns: <see cref="RowLanes.SuperBytes"/>.</summary>
    private static void SpreadSupers(Assembler a, int supers)
    {
        const int Scales = RowLanes.SuperSums;
        a.Mov(Place, LanesBlock);
        a.And(Place, -Scales);
        a.Add(Place, LanesBlock);                       // in halves of what lies before its two sums
        StoreNegated(a, Pair, new Mem(Lanes, supers + RowLanes.SuperHalfSums, Place, 2), Two);
        a.Mov(Place, LanesBlock);
        a.And(Place, -Scales);
        a.Lea(Place, new Mem(Place, 0, Place, 2));
        a.Add(Place, LanesBlock);                       // three times 32 bytes more than the scales before it
        a.VmovupsStore(new Mem(Lanes, supers, Place), Scale, 128, One);
        StoreNegated(a, Total, new Mem(Lanes, supers + RowLanes.SuperSums, Place), One);
    }

    /// <summary>The block's part of a quad of four blocks.</summary>
    private static void SpreadQuad(Assembler a, int quads)
    {
        a.Mov(Place, LanesBlock);
        a.And(Place, -16);
        a.Lea(Place, new Mem(LanesBlock, 0, Place, 4));   // in quarters: 16 bytes a block and 256 a quad more
        var quad = new Mem(Lanes, quads, Place, 4);
        a.VmovupsStore(quad, Low, 128);
        a.VmovupsStore(quad.Plus(RowLanes.QuadHighValues), High, 128);
        a.VmovupsStore(quad.Plus(RowLanes.QuadScales), Scale, 128);
        a.Vextractf32x4(T, Fours, 1, 256);
        a.Vpaddd(Pair, Fours, T, 128);
        Store(a, Pair, quad.Plus(RowLanes.QuadSums), quad.Plus(RowLanes.QuadStarts), 128);
    }

    private static void Store(Assembler a, Zmm integers, Mem sums, Mem starts, int bits, Mask lanes = default)
    {
        a.Vcvtdq2ps(T, integers, bits);
        a.Vmulps(T, T, Scale, bits);
        a.VmovupsStore(sums, T, bits, lanes);
        a.Vpsubd(T, Zero, integers);
        a.Vpslld(T, T, 7);
        a.VmovupsStore(starts, T, bits, lanes);
    }

    private static void StoreNegated(Assembler a, Zmm integers, Mem to, Mask lanes)
    {
        a.Vpsubd(T, Zero, integers);
        a.Vcvtdq2ps(T, T, 128);
        a.Vmulps(T, T, Scale, 128);
        a.VmovupsStore(to, T, 128, lanes);
    }
}
