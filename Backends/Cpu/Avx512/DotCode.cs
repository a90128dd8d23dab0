namespace MambaRT.Backends.Cpu;

/// <summary>What the code of decode's dot products depends on.</summary>
/// <param name="Unpack">How blocks of the type become bytes and scales.</param>
/// <param name="Columns">Columns of the weights.</param>
/// <param name="Rows">Activation rows, 1 to <see cref="RowLanes.Rows"/>.</param>
internal readonly record struct DotShape(DotUnpack Unpack, int Columns, int Rows)
{
    /// <summary>Bytes from one activation row to the next.</summary>
    public int ValueStride => QuantizedRows.StrideOf(Columns) * QuantizedRows.Block;

    /// <summary>Bytes from one activation row to the next in <see cref="RowLanes"/>.</summary>
    public int LaneStride => (int)RowLanes.RowBytesOf(Columns);

    /// <summary>Where the quads of an activation row begin.</summary>
    public int QuadsAt => (int)RowLanes.QuadsAt(Columns);

    /// <summary>Bytes from one array of a row to the next.</summary>
    public int LaneArray => (int)RowLanes.LanesOf(Columns) * sizeof(float);
}

/// <summary>What dot products of decode read and write.</summary>
internal unsafe struct DotArguments
{
    public byte* Weights;
    public long RowBytes, Count;
    public sbyte* Values;
    public int* Starts;
    public float* Y;
}

/// <summary>Some weight rows by one to four activation rows in AVX-512 VNNI: the weights pass once, straight from the file's mapping.</summary>
/// <remarks>
/// A lane is four neighbouring columns. zmm0 to 3 and 4 to 7 hold the sums of the activation rows, in turns; zmm8 on are free for the unpacking of a
/// type, which its <see cref="DotUnpack"/> writes.
/// </remarks>
internal static class DotCode
{
    /// <summary>
    /// How far ahead memory is asked for: two pages, past what the processor foresees, which stops at the end of a page. Four rows of Q8_0 from DRAM: 6.2, 7.3,
    /// 8.1, 9.5, 9.6 GB/s at 0.5, 1, 2, 5, 8 KiB where plain reads reach 12.5.
    /// </summary>
    public const int AheadBytes = 8192;

    public const Gpr W = Gpr.Rsi, X = Gpr.Rdx, Lanes = Gpr.Rcx, Column = Gpr.Rax, Super = Gpr.R8;
    private const Gpr RowStart = Gpr.R9, Y = Gpr.R10, Left = Gpr.R11, Count = Gpr.Rbx, Arguments = Gpr.Rdi;

    /// <summary>A mask for one float.</summary>
    public static readonly Mask OneLane = new(7);

    public static void Emit(Assembler a, DotShape shape)
    {
        DotUnpack unpack = shape.Unpack;
        a.Push(Count);
        a.Mov(RowStart, new Mem(Arguments, 0));
        a.Mov(Count, new Mem(Arguments, 16));
        a.Mov(X, new Mem(Arguments, 24));
        a.Mov(Lanes, new Mem(Arguments, 32));
        a.Mov(Y, new Mem(Arguments, 40));
        a.MovImmediate(Left, 1);
        a.Kmovw(OneLane, Left);
        unpack.Prepare(a, Left);
        int row = a.Position;
        a.Mov(W, RowStart);
        a.MovImmediate(Column, 0);
        a.MovImmediate(Super, 0);
        for (int t = 0; t < shape.Rows; t++)
            for (int turn = 0; turn < 2; turn++) a.Vpxord(Sum(t, turn), Sum(t, turn), Sum(t, turn));
        Steps(a, shape);
        for (int t = 0; t < shape.Rows; t++) Store(a, Sum(t, 0), Sum(t, 1), new Mem(Y, t * WeightKernel.PanelRows * sizeof(float)));
        a.Add(RowStart, new Mem(Arguments, 8));
        a.Add(Y, sizeof(float));
        a.Sub(Count, 1);
        a.JumpBackIfNotZero(row);
        a.Pop(Count);
        a.Return();
    }

    /// <summary>The sum of activation row t; steps take turns with two of them.</summary>
    public static Zmm Sum(int t, int turn) => new(4 * (turn % 2) + t);

    /// <summary>Columns of activation row t from the present one on.</summary>
    public static Mem Values(DotShape shape, int t, int column) => new(X, t * shape.ValueStride + column, Column);

    /// <summary>Starts of activation row t.</summary>
    public static Mem Starts(DotShape shape, int t, int column) => new(Lanes, t * shape.LaneStride + column, Column);

    /// <summary>Scales of activation row t, lane by lane.</summary>
    public static Mem Scales(DotShape shape, int t, int column) => new(Lanes, t * shape.LaneStride + shape.LaneArray + column, Column);

    /// <summary>scale·Σq of activation row t, lane by lane.</summary>
    public static Mem Sums(DotShape shape, int t, int column) => new(Lanes, t * shape.LaneStride + 2 * shape.LaneArray + column, Column);

    /// <summary>The eight scales and eight sums of 256 columns of activation row t.</summary>
    public static Mem Supers(DotShape shape, int t) => new(Lanes, t * shape.LaneStride + 3 * shape.LaneArray, Super);

    /// <summary>The sixteen sums of half blocks of 256 columns of activation row t.</summary>
    public static Mem SmallSums(DotShape shape, int t) => Supers(shape, t).Plus(64);

    /// <summary>A part of the <paramref name="i"/>th quad of activation row t from the present one on; see <see cref="RowLanes.QuadBytes"/>.</summary>
    public static Mem Quad(DotShape shape, int t, int i, int part) => new(Lanes, t * shape.LaneStride + shape.QuadsAt + i * RowLanes.QuadBytes + part, Super);

    /// <summary>The steps of a weight row: several in a loop, then those that are left, the last of which may be a part of one.</summary>
    private static void Steps(Assembler a, DotShape shape)
    {
        DotUnpack unpack = shape.Unpack;
        int whole = shape.Columns / unpack.Columns, together = unpack.StepsTogether, left = whole % together;
        if (whole >= together)
        {
            a.MovImmediate(Left, whole / together);
            int loop = a.Position;
            for (int line = 0; line < unpack.Bytes * together; line += 64) a.PrefetchT1(new Mem(W, AheadBytes + line));
            for (int i = 0; i < together; i++) unpack.Step(a, shape, i);
            Advance(a, unpack, together);
            a.Sub(Left, 1);
            a.JumpBackIfNotZero(loop);
        }
        for (int i = 0; i < left; i++) unpack.Step(a, shape, i);
        if (shape.Columns % unpack.Columns is not 0 and int columns) unpack.Part(a, shape, left, columns);
    }

    private static void Advance(Assembler a, DotUnpack unpack, int steps)
    {
        a.Add(W, unpack.Bytes * steps);
        a.Add(Column, unpack.Columns * steps);
        if (unpack.SuperBytes > 0) a.Add(Super, unpack.SuperBytes * steps);
    }

    /// <summary>The sum over all lanes of both, to memory.</summary>
    public static void Store(Assembler a, Zmm sum, Zmm other, in Mem to)
    {
        a.Vaddps(sum, sum, other);
        a.Vextractf64x4(other, sum, 1);
        a.Vaddps(sum, sum, other, 256);
        a.Vextractf32x4(other, sum, 1, 256);
        a.Vaddps(sum, sum, other, 128);
        a.Vpshufd(other, sum, 0b11_10_11_10, 128);
        a.Vaddps(sum, sum, other, 128);
        a.Vpshufd(other, sum, 0b01_01_01_01, 128);
        a.Vaddps(sum, sum, other, 128);
        a.VmovupsStore(to, sum, 128, OneLane);
    }
}
