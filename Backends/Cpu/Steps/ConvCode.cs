namespace MambaRT.Backends.Cpu;

/// <summary>y = silu(Σ taps · x (+ bias)) of up to sixteen channels over the rows of one sequence; the window moves on.</summary>
/// <remarks>Lanes are channels. The taps and the last inputs stay in registers; a row moves the inputs on by one register.</remarks>
internal static unsafe class ConvCode
{
    /// <summary>The most taps that the registers have room for.</summary>
    public const int MostTaps = 8;

    public const int Lanes = 16;

    /// <summary>How many rows ahead the input is asked for: from row to row it lies pages apart.</summary>
    private const int RowsAhead = 16;

    private const Gpr X = Gpr.Rsi, Y = Gpr.Rdx, XStride = Gpr.Rcx, YStride = Gpr.R8, At = Gpr.R9, Ahead = Gpr.R10, Left = Gpr.Rax;

    private static readonly Zmm Bias = new(20);
    private static readonly Mask Live = new(1);
    private static readonly ElementaryRegisters Sum = new(X: new(16), To: new(17), E: new(18), T: new(19), Negative: new(2));

    public static void Emit(Assembler a, ConvShape shape)
    {
        int past = shape.DConv - 1;
        a.Mov(X, Argument(s => &s->X));
        a.Mov(Y, Argument(s => &s->Y));
        a.Mov(XStride, Argument(s => &s->XStride));
        a.Mov(YStride, Argument(s => &s->YStride));
        a.Mov(Left, Argument(s => &s->LaneMask));
        a.Kmovw(Live, Left);
        a.Mov(Left, Argument(s => &s->Rows));
        a.Mov(At, Argument(s => &s->Bias));
        if (shape.HasBias) a.Vmovups(Bias, new Mem(At), mask: Live);
        ForEach(a, Argument(s => &s->Taps), shape.DConv, (k, at) => a.Vmovups(Tap(k), at, mask: Live));
        ForEach(a, Argument(s => &s->Window), past, (k, at) => a.Vmovups(Input(k), at, mask: Live));
        a.Mov(Ahead, XStride);
        a.Shl(Ahead, RowsAhead);
        int row = a.Position;
        a.PrefetchT0(new Mem(X, 0, Ahead));
        a.Vmovups(Input(past), new Mem(X), mask: Live);
        a.Vmulps(Sum.X, Tap(0), Input(0));
        if (shape.HasBias) a.Vaddps(Sum.X, Sum.X, Bias);
        for (int k = 1; k < shape.DConv; k++) a.Vfmadd231ps(Sum.X, Tap(k), Input(k));
        for (int k = 0; k < past; k++) a.Vmovups(Input(k), Input(k + 1));
        ElementaryCode.Sigmoid(a, Sum);
        a.Vmulps(Sum.To, Sum.To, Sum.X);
        a.VmovupsStore(new Mem(Y), Sum.To, mask: Live);
        a.Add(X, XStride);
        a.Add(Y, YStride);
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(row);
        ForEach(a, Argument(s => &s->Window), past, (k, at) => a.VmovupsStore(at, Input(k), mask: Live));
        a.Return();
    }

    /// <summary>Something with each of some rows that lie [rows, channels] at a pointer among the arguments.</summary>
    private static void ForEach(Assembler a, Mem pointer, int rows, Action<int, Mem> write)
    {
        a.Mov(At, pointer);
        for (int k = 0; k < rows; k++)
        {
            write(k, new Mem(At));
            a.Add(At, Argument(s => &s->ChannelBytes));
        }
    }

    private static Mem Argument(FieldOf<ConvArguments> field) => new Mem(Gpr.Rdi).Field(field);

    private static Zmm Tap(int k) => new(k);

    private static Zmm Input(int k) => new(MostTaps + k);
}
