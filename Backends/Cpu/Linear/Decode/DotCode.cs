namespace MambaRT.Backends.Cpu;

/// <summary>Some weight rows by one to four activation rows in AVX-512 VNNI: the weights pass once, straight from the file's mapping.</summary>
/// <remarks>
/// A lane is four neighbouring columns. zmm0 to 3 hold the sums of a weight row with the activation rows, 4 to 7 those of another row far from it: memory
/// answers two streams sooner than one (mamba-1.4b Q8_0, medians: 10.8 for 10.0 GB/s with one thread, 20.0 for 18.3 with two). zmm8 on are free for the
/// unpacking of a type, which its <see cref="DotUnpack"/> writes.
/// </remarks>
internal static unsafe class DotCode
{
    /// <summary>
    /// How far ahead memory is asked for in all streams together: past what the processor foresees, which stops at the end of a page. Four rows of Q8_0 from
    /// DRAM in one stream: 6.2, 7.3, 8.1, 9.5, 9.6 GB/s at 0.5, 1, 2, 5, 8 KiB where plain reads reach 12.5. Two streams are asked for into the first-level
    /// cache: with one thread Q4_0, Q6_K and Q8_0 are 8 to 15 % faster than from the second; one stream of F16, with two threads, is 9 % slower so.
    /// </summary>
    private const int AheadBytes = 8192;

    /// <summary>Weight rows read together.</summary>
    public const int Streams = 2;

    public const Gpr W = Gpr.Rsi, Second = Gpr.Rbp, X = Gpr.Rdx, Lanes = Gpr.Rcx, Column = Gpr.Rax, Super = Gpr.R8;
    private const Gpr RowStart = Gpr.R9, Y = Gpr.R10, Left = Gpr.R11, Count = Gpr.Rbx, Arguments = Gpr.Rdi;

    /// <summary>A mask for one float.</summary>
    public static readonly Mask OneLane = new(7);

    /// <summary>What <see cref="Store"/> may use: no constant of an unpacking lies there.</summary>
    public static readonly Zmm Spare = new(31);

    public static void Emit(Assembler a, DotShape shape)
    {
        DotUnpack unpack = shape.Unpack;
        a.Push(Count);
        a.Push(Second);
        a.Mov(RowStart, Argument(s => &s->Weights));
        a.Mov(X, Argument(s => &s->Values));
        a.Mov(Lanes, Argument(s => &s->Starts));
        a.Mov(Count, Argument(s => &s->Rows.Count));
        a.Mov(Second, Argument(s => &s->Rows.Second));
        a.Mov(Y, Argument(s => &s->Rows.Y));
        a.MovImmediate(Left, 1);
        a.Kmovw(OneLane, Left);
        unpack.Prepare(a, Left);
        int row = a.Position;
        a.Mov(W, RowStart);
        a.MovImmediate(Column, 0);
        a.MovImmediate(Super, 0);
        ForEach(Streams, shape.Rows, (stream, t) => a.Vpxord(stream.Sum(t), stream.Sum(t), stream.Sum(t)));
        Steps(a, shape);
        Store(a, Streams, shape.Rows, Argument(s => &s->Rows), (stream, t) => stream.Sum(t));
        a.Add(RowStart, Argument(s => &s->RowBytes));
        a.Sub(Count, 1);
        a.JumpBackIfNotZero(row);
        a.Pop(Second);
        a.Pop(Count);
        a.Return();
    }

    /// <summary>Calls for each stream and activation row.</summary>
    public static void ForEach(int streams, int rows, Action<DotStream, int> write)
    {
        for (int t = 0; t < rows; t++)
            for (int i = 0; i < streams; i++) write(new DotStream(i), t);
    }

    /// <summary>Writes the sums of a weight row of each stream, over all lanes, and moves y (r10) on by one. Uses rax, r11 and the register <see cref="Spare"/>.</summary>
    public static void Store(Assembler a, int streams, int rows, Mem dotRows, Func<DotStream, int, Zmm> sum)
    {
        a.Mov(Left, Y);
        a.Mov(Column, dotRows.Field<DotRows>(s => &s->YSecond));
        for (int t = 0; t < rows; t++)
        {
            for (int i = 0; i < streams; i++) StoreSum(a, sum(new DotStream(i), t), i == 0 ? new Mem(Left) : new Mem(Left, 0, Column));
            a.Add(Left, dotRows.Field<DotRows>(s => &s->YStride));
        }
        a.Add(Y, sizeof(float));
    }

    private static Mem Argument(FieldOf<DotArguments> field) => new Mem(Arguments).Field(field);

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
    public static Mem SmallSums(DotShape shape, int t) => Supers(shape, t).Plus(RowLanes.SuperHalfSums);

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
            Ahead(a, Streams, unpack.Bytes * together);
            for (int i = 0; i < together; i++) Step(a, shape, i);
            Advance(a, unpack, together);
            a.Sub(Left, 1);
            a.JumpBackIfNotZero(loop);
        }
        for (int i = 0; i < left; i++) Step(a, shape, i);
        if (shape.Columns % unpack.Columns is not 0 and int columns)
            for (int i = 0; i < Streams; i++) unpack.Part(a, shape, new DotStream(i), left, columns);
    }

    private static void Step(Assembler a, DotShape shape, int i)
    {
        for (int stream = 0; stream < Streams; stream++) shape.Unpack.Step(a, shape, new DotStream(stream), i);
    }

    /// <summary>Asks for what the streams come to after <see cref="AheadBytes"/>.</summary>
    public static void Ahead(Assembler a, int streams, int bytes)
    {
        for (int line = 0; line < bytes; line += 64)
            for (int i = 0; i < streams; i++)
            {
                Mem ahead = new DotStream(i).At(AheadBytes / streams + line);
                if (streams == Streams) a.PrefetchT0(ahead);
                else a.PrefetchT1(ahead);
            }
    }

    private static void Advance(Assembler a, DotUnpack unpack, int steps)
    {
        a.Add(W, unpack.Bytes * steps);
        a.Add(Column, unpack.Columns * steps);
        if (unpack.SuperBytes > 0) a.Add(Super, unpack.SuperBytes * steps);
    }

    /// <summary>The sum over all lanes, to memory.</summary>
    private static void StoreSum(Assembler a, Zmm sum, in Mem to)
    {
        Zmm other = Spare;
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
