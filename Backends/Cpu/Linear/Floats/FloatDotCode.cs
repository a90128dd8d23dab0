namespace MambaRT.Backends.Cpu;

/// <summary>Some weight rows of a float type by one to four float32 activation rows in AVX-512: the weights pass once.</summary>
/// <remarks>
/// Lanes are columns. With more than one activation row, two weight rows are read together, as in <see cref="DotCode"/>; zmm0 to 15 are the sums.
/// </remarks>
internal static unsafe class FloatDotCode
{
    /// <summary>The most activation rows.</summary>
    public const int Most = 4;

    private const int Unrolled = 4, Lanes = 16;

    private const Gpr W = DotCode.W, Second = DotCode.Second, X = Gpr.Rdx, RowStart = Gpr.R9, Y = Gpr.R10, Stride = Gpr.Rcx, Left = Gpr.R11, Count = Gpr.Rbx, Fourth = Gpr.Rax;

    public static void Emit(Assembler a, FloatDotShape shape)
    {
        a.Push(Count);
        a.Push(Second);
        a.Mov(RowStart, Argument(s => &s->Weights));
        a.Mov(Stride, Argument(s => &s->XStride));
        a.Mov(Count, Argument(s => &s->Rows.Count));
        a.Mov(Second, Argument(s => &s->Rows.Second));
        a.Mov(Y, Argument(s => &s->Rows.Y));
        a.MovImmediate(Left, 1);
        a.Kmovw(DotCode.OneLane, Left);
        int row = a.Position;
        a.Mov(W, RowStart);
        a.Mov(X, Argument(s => &s->X));
        a.Lea(Fourth, new Mem(X, 0, Stride, 2));
        a.Add(Fourth, Stride);
        DotCode.ForEach(shape.Streams, shape.Rows, (stream, t) =>
        {
            for (int turn = 0; turn < shape.Turns; turn++) a.Vpxord(Sum(shape, stream, t, turn), Sum(shape, stream, t, turn), Sum(shape, stream, t, turn));
        });
        Steps(a, shape);
        for (int half = shape.Turns / 2; half > 0; half /= 2)
            for (int turn = 0; turn < half; turn++)
                DotCode.ForEach(shape.Streams, shape.Rows, (stream, t) => a.Vaddps(Sum(shape, stream, t, turn), Sum(shape, stream, t, turn), Sum(shape, stream, t, turn + half)));
        DotCode.Store(a, shape.Streams, shape.Rows, Argument(s => &s->Rows), (stream, t) => Sum(shape, stream, t, 0));
        a.Add(RowStart, Argument(s => &s->RowBytes));
        a.Sub(Count, 1);
        a.JumpBackIfNotZero(row);
        a.Pop(Second);
        a.Pop(Count);
        a.Return();
    }

    private static void Steps(Assembler a, FloatDotShape shape)
    {
        int whole = shape.Columns / (Unrolled * Lanes);
        if (whole > 0)
        {
            a.MovImmediate(Left, whole);
            int loop = a.Position;
            DotCode.Ahead(a, shape.Streams, Unrolled * Lanes * shape.BytesPerWeight);
            for (int i = 0; i < Unrolled; i++) Step(a, shape, i);
            a.Add(W, Unrolled * Lanes * shape.BytesPerWeight);
            a.Add(X, Unrolled * Lanes * sizeof(float));
            a.Add(Fourth, Unrolled * Lanes * sizeof(float));
            a.Sub(Left, 1);
            a.JumpBackIfNotZero(loop);
        }
        for (int i = 0; i < shape.Columns / Lanes % Unrolled; i++) Step(a, shape, i);
    }

    /// <summary>Sixteen columns.</summary>
    private static void Step(Assembler a, FloatDotShape shape, int i)
    {
        for (int stream = 0; stream < shape.Streams; stream++) Load(a, shape.Storage, Weights(stream, i), new DotStream(stream).At(i * Lanes * shape.BytesPerWeight));
        for (int t = 0; t < shape.Rows; t++)
        {
            int at = i * Lanes * sizeof(float);
            var x = new Zmm(20 + t);
            a.Vmovups(x, t == 3 ? new Mem(Fourth, at) : t == 0 ? new Mem(X, at) : new Mem(X, at, Stride, t));
            for (int stream = 0; stream < shape.Streams; stream++) a.Vfmadd231ps(Sum(shape, new DotStream(stream), t, i), Weights(stream, i), x);
        }
    }

    private static void Load(Assembler a, FloatStorage storage, Zmm weights, in Mem from)
    {
        if (storage == FloatStorage.F32) a.Vmovups(weights, from);
        else if (storage == FloatStorage.F16) a.Vcvtph2ps(weights, from);
        else
        {
            a.Vpmovzxwd(weights, from);
            a.Vpslld(weights, weights, 16);
        }
    }

    private static Mem Argument(FieldOf<FloatDotArguments> field) => new Mem(Gpr.Rdi).Field(field);

    private static Zmm Weights(int stream, int i) => new(16 + DotCode.Streams * (i % 2) + stream);

    private static Zmm Sum(FloatDotShape shape, DotStream stream, int t, int i) => new(8 * stream.Index + shape.Turns * t + i % shape.Turns);
}
