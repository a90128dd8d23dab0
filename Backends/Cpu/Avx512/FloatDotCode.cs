namespace MambaRT.Backends.Cpu;

/// <summary>How weights of a float type are stored.</summary>
internal enum FloatStorage
{
    F32, F16, BF16,
}

/// <summary>What the code of decode's dot products of float types depends on.</summary>
/// <param name="Storage">How the weights are stored.</param>
/// <param name="Columns">Columns, a multiple of sixteen.</param>
/// <param name="Rows">Activation rows, 1 to <see cref="FloatDotCode.Most"/>.</param>
internal readonly record struct FloatDotShape(FloatStorage Storage, int Columns, int Rows)
{
    public int BytesPerWeight => Storage == FloatStorage.F32 ? 4 : 2;
}

/// <summary>What dot products of float types read and write; strides are in bytes.</summary>
internal unsafe struct FloatDotArguments
{
    public byte* Weights;
    public long RowBytes, Count;
    public float* X;
    public long XStride;
    public float* Y;
}

/// <summary>Some weight rows of a float type by one to four float32 activation rows in AVX-512: the weights pass once.</summary>
/// <remarks>Lanes are columns. zmm0 to 15 are the sums: four for each activation row, in turns, so that additions do not wait for one another.</remarks>
internal static class FloatDotCode
{
    /// <summary>The most activation rows.</summary>
    public const int Most = 4;

    private const int Turns = 4, Lanes = 16, AheadBytes = DotCode.AheadBytes;

    private const Gpr W = Gpr.Rsi, X = Gpr.Rdx, RowStart = Gpr.R9, Y = Gpr.R10, Stride = Gpr.Rcx, Left = Gpr.R11, Count = Gpr.Rbx, Fourth = Gpr.Rax;

    public static void Emit(Assembler a, FloatDotShape shape)
    {
        a.Push(Count);
        a.Mov(RowStart, new Mem(Gpr.Rdi, 0));
        a.Mov(Count, new Mem(Gpr.Rdi, 16));
        a.Mov(Stride, new Mem(Gpr.Rdi, 32));
        a.Mov(Y, new Mem(Gpr.Rdi, 40));
        a.MovImmediate(Left, 1);
        a.Kmovw(DotCode.OneLane, Left);
        int row = a.Position;
        a.Mov(W, RowStart);
        a.Mov(X, new Mem(Gpr.Rdi, 24));
        a.Lea(Fourth, new Mem(X, 0, Stride, 2));
        a.Add(Fourth, Stride);
        for (int t = 0; t < shape.Rows; t++)
            for (int turn = 0; turn < Turns; turn++) a.Vpxord(Sum(t, turn), Sum(t, turn), Sum(t, turn));
        Steps(a, shape);
        for (int t = 0; t < shape.Rows; t++)
        {
            a.Vaddps(Sum(t, 0), Sum(t, 0), Sum(t, 2));
            a.Vaddps(Sum(t, 1), Sum(t, 1), Sum(t, 3));
            DotCode.Store(a, Sum(t, 0), Sum(t, 1), new Mem(Y, t * WeightKernel.PanelRows * sizeof(float)));
        }
        a.Add(RowStart, new Mem(Gpr.Rdi, 8));
        a.Add(Y, sizeof(float));
        a.Sub(Count, 1);
        a.JumpBackIfNotZero(row);
        a.Pop(Count);
        a.Return();
    }

    private static void Steps(Assembler a, FloatDotShape shape)
    {
        int whole = shape.Columns / (Turns * Lanes);
        if (whole > 0)
        {
            a.MovImmediate(Left, whole);
            int loop = a.Position;
            for (int line = 0; line < Turns * Lanes * shape.BytesPerWeight; line += 64) a.PrefetchT1(new Mem(W, AheadBytes + line));
            for (int turn = 0; turn < Turns; turn++) Step(a, shape, turn);
            a.Add(W, Turns * Lanes * shape.BytesPerWeight);
            a.Add(X, Turns * Lanes * sizeof(float));
            a.Add(Fourth, Turns * Lanes * sizeof(float));
            a.Sub(Left, 1);
            a.JumpBackIfNotZero(loop);
        }
        for (int turn = 0; turn < shape.Columns / Lanes % Turns; turn++) Step(a, shape, turn);
    }

    private static void Step(Assembler a, FloatDotShape shape, int turn)
    {
        var weights = new Zmm(16 + turn);
        var from = new Mem(W, turn * Lanes * shape.BytesPerWeight);
        if (shape.Storage == FloatStorage.F32) a.Vmovups(weights, from);
        else if (shape.Storage == FloatStorage.F16) a.Vcvtph2ps(weights, from);
        else
        {
            a.Vpmovzxwd(weights, from);
            a.Vpslld(weights, weights, 16);
        }
        for (int t = 0; t < shape.Rows; t++)
        {
            int at = turn * Lanes * sizeof(float);
            Mem x = t == 3 ? new Mem(Fourth, at) : t == 0 ? new Mem(X, at) : new Mem(X, at, Stride, t);
            a.Vfmadd231ps(Sum(t, turn), weights, x);
        }
    }

    private static Zmm Sum(int t, int turn) => new(Turns * t + turn);
}
