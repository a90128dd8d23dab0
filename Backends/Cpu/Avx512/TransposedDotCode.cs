namespace MambaRT.Backends.Cpu;

/// <summary>What the code of transposed dot products depends on.</summary>
/// <param name="Columns">Columns of the weights, whole blocks.</param>
/// <param name="Rows">Activation rows, 1 to <see cref="RowLanes.Rows"/>.</param>
internal readonly record struct TransposedDotShape(int Columns, int Rows)
{
    /// <summary>Blocks from one activation row to the next.</summary>
    public int BlockStride => QuantizedRows.StrideOf(Columns);
}

/// <summary>What transposed dot products read and write.</summary>
internal unsafe struct TransposedDotArguments
{
    public byte* Weights;
    public sbyte* Values;
    public int* Starts;
    public float* Scales, Y;
    public long YStride;
}

/// <summary>Sixteen weight rows of Q8_0 by a few activation rows in AVX-512 VNNI, straight from the file's mapping.</summary>
/// <remarks>
/// <see cref="DotCode"/> has columns in its lanes, so each activation row converts and scales sixteen sums for every 64 columns. Here lanes are weight rows: a
/// block is transposed in registers once for all activation rows, and these convert and scale once for 32 columns of sixteen weight rows. Per 64 bytes of
/// weights and with four activation rows that is 14 vector instructions instead of 21; with one it would be more.
/// </remarks>
internal static class TransposedDotCode
{
    /// <summary>Weight rows: the lanes.</summary>
    public const int Lanes = 16;

    /// <summary>From this many activation rows on it is the faster.</summary>
    public const int LeastRows = 2;

    private const int BlockBytes = 34, ValuesAt = 2, Columns = QuantizedRows.Block, Line = 64;

    private const Gpr Arguments = Gpr.Rdi, W = Gpr.Rsi, X = Gpr.Rdx, Starts = Gpr.Rcx, Scales = Gpr.R8, Y = Gpr.R9, Next = Gpr.R10, Left = Gpr.Rax;

    private static readonly Zmm Low = new(12), High = new(13), Scale = new(14), Product = new(15), Signs = new(28);

    public static void Emit(Assembler a, TransposedDotShape shape)
    {
        int blocks = shape.Columns / Columns, rowBytes = blocks * BlockBytes;
        int index = 0;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[W, X, Starts, Scales, Y]) a.Mov(pointer, new Mem(Arguments, 8 * index++));
        a.Lea(Next, new Mem(W, Lanes * rowBytes));
        for (int lane = 1; lane < 4; lane++)
        {
            a.MovImmediate(Left, 0xf << 4 * lane);
            a.Kmovw(Quarter(lane), Left);
        }
        a.Vpbroadcastd(Signs, a.Constant(unchecked((int)0x80808080)));
        for (int t = 0; t < shape.Rows; t++) a.Vpxord(Sum(t), Sum(t), Sum(t));
        a.MovImmediate(Left, blocks);
        int loop = a.Position;
        // The next sixteen rows, as far on as the present ones are read: rows lie farther apart than the processor looks ahead.
        for (int line = 0; line < Lanes * BlockBytes; line += Line) a.PrefetchT1(new Mem(Next, line));
        Block(a, shape, rowBytes);
        a.Add(W, BlockBytes);
        a.Add(Next, Lanes * BlockBytes);
        a.Add(X, Columns);
        a.Add(Starts, sizeof(int));
        a.Add(Scales, sizeof(float));
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(loop);
        for (int t = 0; t < shape.Rows; t++)
        {
            a.VmovupsStore(new Mem(Y), Sum(t));
            a.Add(Y, new Mem(Arguments, 40));
        }
        a.Return();
    }

    /// <summary>sum += scale · scale of x · Σ w·x over 32 columns; w is made unsigned by adding 128, which the starts take off.</summary>
    private static void Block(Assembler a, TransposedDotShape shape, int rowBytes)
    {
        for (int t = 0; t < shape.Rows; t++) a.Vpbroadcastd(Whole(t), new Mem(Starts, t * shape.BlockStride * sizeof(int)));
        for (int at = 0; at < Columns; at += 16)
        {
            Transpose(a, rowBytes, at);
            for (int j = 0; j < 4; j++)
            {
                a.Vpxord(Weights(j), Weights(j), Signs);
                for (int t = 0; t < shape.Rows; t++)
                    a.Vpdpbusd(Whole(t), Weights(j), new Mem(X, t * shape.BlockStride * Columns + at + 4 * j).ToAllLanes);
            }
        }
        LoadScales(a, rowBytes);
        for (int t = 0; t < shape.Rows; t++)
        {
            a.Vmulps(Product, Scale, new Mem(Scales, t * shape.BlockStride * sizeof(float)).ToAllLanes);
            a.Vcvtdq2ps(Whole(t), Whole(t));
            a.Vfmadd231ps(Sum(t), Whole(t), Product);
        }
    }

    /// <summary>Sixteen columns of sixteen rows: quad j of row 4·lane + q, which came as quad j of quarter lane of loaded q, goes to int 4·lane + q of weights j.</summary>
    private static void Transpose(Assembler a, int rowBytes, int column)
    {
        for (int q = 0; q < 4; q++)
        {
            a.Vmovdqu32(Loaded(q), Row(q), 128);
            for (int lane = 1; lane < 4; lane++) a.Vbroadcasti32x4(Loaded(q), Row(4 * lane + q), Quarter(lane));
        }
        for (int q = 0; q < 4; q += 2)
        {
            a.Vpunpckldq(Paired(q), Loaded(q), Loaded(q + 1));
            a.Vpunpckhdq(Paired(q + 1), Loaded(q), Loaded(q + 1));
        }
        for (int j = 0; j < 4; j += 2)
        {
            a.Vpunpcklqdq(Weights(j), Paired(j / 2), Paired(j / 2 + 2));
            a.Vpunpckhqdq(Weights(j + 1), Paired(j / 2), Paired(j / 2 + 2));
        }

        Mem Row(int row) => new(W, row * rowBytes + ValuesAt + column);
    }

    /// <summary>The scales of the sixteen rows.</summary>
    private static void LoadScales(Assembler a, int rowBytes)
    {
        foreach (Zmm half in (ReadOnlySpan<Zmm>)[Low, High]) a.Vpxord(half, half, half, 128);
        for (int row = 0; row < Lanes; row++)
        {
            Zmm half = row < 8 ? Low : High;
            a.Vpinsrw(half, half, new Mem(W, row * rowBytes), row % 8);
        }
        a.Vinserti32x4(Low, Low, High, 1, 256);
        a.Vcvtph2ps(Scale, Low);
    }

    private static Mask Quarter(int lane) => new(lane);

    private static Zmm Sum(int t) => new(t);

    private static Zmm Whole(int t) => new(4 + t);

    private static Zmm Loaded(int q) => new(16 + q);

    private static Zmm Paired(int q) => new(20 + q);

    private static Zmm Weights(int j) => new(24 + j);
}
