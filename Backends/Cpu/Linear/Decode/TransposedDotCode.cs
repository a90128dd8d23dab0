namespace MambaRT.Backends.Cpu;

/// <summary>Sixteen weight rows by a few activation rows in AVX-512 VNNI, straight from the file's mapping.</summary>
/// <remarks>
/// <see cref="DotCode"/> has columns in its lanes, so each activation row converts and scales sixteen sums for every 64 columns. Here lanes are weight rows: a
/// block is transposed in registers once for all activation rows, and these convert and scale once for a group of columns of sixteen weight rows. Four
/// activation rows out of cache, GB/s of weights a core, there and here: Q8_0 14.7 and 25.8, Q4_0 10.4 and 16.0, Q4_K 7.2 and 14.7, Q6_K 8.5 and 16.3. With
/// one activation row it would be slower.
/// </remarks>
internal static unsafe class TransposedDotCode
{
    /// <summary>Weight rows: the lanes.</summary>
    public const int Lanes = 16;

    /// <summary>From this many activation rows on it is the faster.</summary>
    public const int LeastRows = 2;

    /// <summary>Scratch that a call needs, at a whole cache line.</summary>
    public const int ScratchBytes = 32 * Line;

    private const int Line = 64;

    /// <summary>How far ahead memory is asked for, in groups of sixteen rows.</summary>
    private const int GroupsAhead = 2;

    private const Gpr Arguments = Gpr.Rdi, W = Gpr.Rsi, X = Gpr.Rdx, Beside = Gpr.Rcx, Scales = Gpr.R8, Y = Gpr.R9, Next = Gpr.R10, Scratch = Gpr.R11, Left = Gpr.Rax;

    /// <summary>The scales of a group; free while a block's scales are made.</summary>
    public static readonly Zmm Scale = new(14);

    private static readonly Zmm Low = new(12), High = new(13), Product = new(15);

    public static void Emit(Assembler a, TransposedDotShape shape)
    {
        TransposedUnpack unpack = shape.Unpack;
        a.Mov(W, Argument(s => &s->Weights));
        a.Mov(X, Argument(s => &s->Values));
        a.Mov(Beside, Argument(s => &s->Beside));
        a.Mov(Scales, Argument(s => &s->Scales));
        a.Mov(Y, Argument(s => &s->Y));
        a.Mov(Scratch, Argument(s => &s->Scratch));
        a.Lea(Next, new Mem(W, GroupsAhead * Lanes * shape.RowBytes));
        for (int lane = 1; lane < 4; lane++)
        {
            a.MovImmediate(Left, 0xf << 4 * lane);
            a.Kmovw(Quarter(lane), Left);
        }
        unpack.Prepare(a);
        for (int t = 0; t < shape.Rows; t++) a.Vpxord(Sum(t), Sum(t), Sum(t));
        a.MovImmediate(Left, shape.Columns / unpack.Columns);
        int loop = a.Position;
        unpack.Scales(a, shape.RowBytes);
        for (int step = 0; step < unpack.Steps; step++) Step(a, shape, step);
        a.Add(W, unpack.Bytes);
        a.Add(Next, Lanes * unpack.Bytes);
        a.Add(X, unpack.Columns);
        a.Add(Beside, unpack.Columns / unpack.Group * sizeof(int));
        a.Add(Scales, unpack.Columns / QuantizedRows.Block * sizeof(float));
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(loop);
        for (int t = 0; t < shape.Rows; t++)
        {
            a.VmovupsStore(new Mem(Y), Sum(t));
            a.Add(Y, Argument(s => &s->YStride));
        }
        a.Return();
    }

    private static Mem Argument(FieldOf<TransposedDotArguments> field) => new Mem(Arguments).Field(field);

    /// <summary>sum += scale · scale of x · Σ w·x of the step's groups (+ offset · Σx); w is 128 too high where there are no offsets, which the starts take off.</summary>
    private static void Step(Assembler a, TransposedDotShape shape, int step)
    {
        TransposedUnpack unpack = shape.Unpack;
        int groups = unpack.GroupsOfStep;
        ForEach(groups, shape.Rows, (g, t) =>
        {
            if (unpack.HasOffset) a.Vpxord(Whole(g, t), Whole(g, t), Whole(g, t));
            else a.Vpbroadcastd(Whole(g, t), OfGroup(g, t));
        });
        for (int chunk = 0; chunk < unpack.Chunks; chunk++)
        {
            Transpose(a, shape.RowBytes, unpack.BytesAt(step, chunk));
            for (int j = 0; j < 4; j++)
            {
                Ahead(a, unpack, (step * unpack.Chunks + chunk) * 4 + j);
                for (int part = 0; part < unpack.Parts; part++)
                {
                    Zmm quad = unpack.Quad(a, step, chunk, part, j);
                    int column = unpack.ColumnAt(step, chunk, part) + 4 * j;
                    for (int t = 0; t < shape.Rows; t++)
                        a.Vpdpbusd(Whole(part % groups, t), quad, new Mem(X, t * shape.BlockStride * QuantizedRows.Block + column).ToAllLanes);
                }
            }
        }
        for (int g = 0; g < groups; g++)
        {
            int group = unpack.ColumnAt(step, 0, g) / unpack.Group, block = unpack.ColumnAt(step, 0, g) / QuantizedRows.Block;
            a.Vmovups(Scale, Stored(group));
            for (int t = 0; t < shape.Rows; t++)
            {
                a.Vmulps(Product, Scale, new Mem(Scales, (t * shape.BlockStride + block) * sizeof(float)).ToAllLanes);
                a.Vcvtdq2ps(Whole(g, t), Whole(g, t));
                a.Vfmadd231ps(Sum(t), Whole(g, t), Product);
            }
            if (!unpack.HasOffset) continue;
            a.Vmovups(Scale, Stored(unpack.Columns / unpack.Group + group));
            for (int t = 0; t < shape.Rows; t++) a.Vfmadd231ps(Sum(t), Scale, OfGroup(g, t).ToAllLanes);
        }

        Mem OfGroup(int g, int t) =>
            new(Beside, (t * shape.BlockStride * (QuantizedRows.Block / unpack.Group) + unpack.ColumnAt(step, 0, g) / unpack.Group) * sizeof(int));
    }

    /// <summary>
    /// Asks for a share of the rows to come, as far on as the present ones are read: rows lie farther apart than the processor looks ahead. All lines of a
    /// block at once would keep its own reads waiting: spread over it, mamba-1.4b Q6_K with four sequences is a sixth faster.
    /// </summary>
    private static void Ahead(Assembler a, TransposedUnpack unpack, int part)
    {
        int parts = 4 * unpack.Steps * unpack.Chunks, lines = (Lanes * unpack.Bytes + Line - 1) / Line;
        for (int line = part * lines / parts; line < (part + 1) * lines / parts; line++) a.PrefetchT1(new Mem(Next, line * Line));
    }

    /// <summary>Sixteen bytes of sixteen rows: quad j of row 4·lane + q, which came as quad j of quarter lane of loaded q, goes to int 4·lane + q of <see cref="Raw"/> j.</summary>
    public static void Transpose(Assembler a, int rowBytes, int at)
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
            a.Vpunpcklqdq(Raw(j), Paired(j / 2), Paired(j / 2 + 2));
            a.Vpunpckhqdq(Raw(j + 1), Paired(j / 2), Paired(j / 2 + 2));
        }

        Mem Row(int row) => new(W, row * rowBytes + at);
    }

    /// <summary>Transposes and keeps: the four vectors go to <see cref="Stored"/> first and on.</summary>
    public static void StoreTransposed(Assembler a, int rowBytes, int at, int first)
    {
        Transpose(a, rowBytes, at);
        for (int j = 0; j < 4; j++) a.VmovupsStore(Stored(first + j), Raw(j));
    }

    /// <summary>A half of each of the sixteen rows as float32.</summary>
    public static void LoadHalves(Assembler a, Zmm to, int rowBytes, int at)
    {
        foreach (Zmm half in (ReadOnlySpan<Zmm>)[Low, High]) a.Vpxord(half, half, half, 128);
        for (int row = 0; row < Lanes; row++)
        {
            Zmm half = row < 8 ? Low : High;
            a.Vpinsrw(half, half, new Mem(W, row * rowBytes + at), row % 8);
        }
        a.Vinserti32x4(Low, Low, High, 1, 256);
        a.Vcvtph2ps(to, Low);
    }

    /// <summary>A vector of the scratch: the scales of the groups, then their offsets, then what an unpacking keeps for itself.</summary>
    public static Mem Stored(int i) => new(Scratch, i * Line);

    /// <summary>The sixteen rows' bytes 4j to 4j + 3 of those transposed last.</summary>
    public static Zmm Raw(int j) => new(24 + j);

    /// <summary>Eight registers that are free between one transposition and the next.</summary>
    public static Zmm Free(int i) => new(16 + i);

    private static void ForEach(int groups, int rows, Action<int, int> write)
    {
        for (int g = 0; g < groups; g++)
            for (int t = 0; t < rows; t++) write(g, t);
    }

    private static Mask Quarter(int lane) => new(lane);

    private static Zmm Sum(int t) => new(t);

    private static Zmm Whole(int g, int t) => new(4 + 4 * g + t);

    private static Zmm Loaded(int q) => new(16 + q);

    private static Zmm Paired(int q) => new(20 + q);
}
