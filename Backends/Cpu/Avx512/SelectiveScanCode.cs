namespace MambaRT.Backends.Cpu;

/// <summary>What the selective scan of sixteen channels reads and writes; strides are in bytes, and a bit of the mask is a channel that exists.</summary>
internal unsafe struct SelectiveScanArguments
{
    public float* U, Dt, Z, Y, B, C;
    public long UStride, DtStride, ZStride, YStride, BStride, CStride;
    public float* H, A, D, DtBias;
    public long Rows, LaneMask;
}

/// <summary>
/// The selective scan of up to sixteen channels over some rows of one sequence: Δ = softplus(dt + bias), h = h·2^(Δ·A) + (Δ·u)·B, y = (Σ h·C + D·u)·silu(z);
/// A carries the factor log2 e.
/// </summary>
/// <remarks>
/// Lanes are channels, so there are no sums across lanes. With up to sixteen states h stays in zmm0 to 15 over all rows; with more it is read and written
/// in the first-level cache. A state takes twelve instructions: one for Δ·A, eight for 2^x, three for the recurrence and its output.
/// </remarks>
internal static class SelectiveScanCode
{
    /// <summary>Channels of a group.</summary>
    public const int Lanes = 16;

    /// <summary>The most states there is code for: it is unrolled over them.</summary>
    public const int MostStates = 128;

    private const int Resident = 16, Line = 64;

    private const Gpr U = Gpr.Rsi, Dt = Gpr.Rdx, Z = Gpr.Rcx, Y = Gpr.R8, B = Gpr.R9, C = Gpr.R10, A = Gpr.R11, H = Gpr.Rax, Left = Gpr.Rbx, Bias = Gpr.R12, Skip = Gpr.R13;
    private const Gpr Arguments = Gpr.Rdi;

    /// <summary>How many rows ahead the inputs are asked for: from row to row they lie pages apart, which the processor does not foresee.</summary>
    private const int RowsAhead = 8;

    /// <summary>How far ahead h and A of the next channels are asked for: with one row, reading them is what takes the time.</summary>
    private const int AheadBytes = 4096;

    private static readonly Gpr[] Ahead = [Gpr.R14, Gpr.R15, Gpr.Rbp], Inputs = [U, Dt, Z], Saved = [Left, Bias, Skip, .. Ahead];

    /// <summary>States whose instructions are interleaved, so that those that wait for another do not fill the processor's queue.</summary>
    private const int Together = 2;

    private static readonly Zmm Delta = new(16), Input = new(17), Even = new(18), Odd = new(19);

    private static readonly Zmm[] Coefficients = [new(28), new(29), new(30), new(31)];

    // Outside the recurrence its registers are free: those of the first two states.
    private static readonly Zmm X = T(0), E = R(0), V = P(0), Z1 = T(1);
    private static readonly Mask Live = new(1), Negative = new(2);

    public static void Emit(Assembler a, SelectiveScanShape shape)
    {
        int n = shape.DState;
        foreach (Gpr saved in Saved) a.Push(saved);
        int index = 0;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[U, Dt, Z, Y, B, C]) a.Mov(pointer, new Mem(Arguments, 8 * index++));
        a.Mov(H, new Mem(Arguments, 12 * 8));
        a.Mov(A, new Mem(Arguments, 13 * 8));
        a.Mov(Bias, new Mem(Arguments, 15 * 8));
        a.Mov(Skip, new Mem(Arguments, 14 * 8));
        a.Mov(Left, new Mem(Arguments, 17 * 8));
        a.Kmovw(Live, Left);
        a.Mov(Left, new Mem(Arguments, 16 * 8));
        for (int i = 0; i < Coefficients.Length; i++) a.Vbroadcastss(Coefficients[i], a.Constant(ElementaryCode.Exp2[i]));
        for (int i = 0; i < Ahead.Length; i++)
        {
            a.Mov(Ahead[i], new Mem(Arguments, (6 + i) * 8));
            a.Shl(Ahead[i], RowsAhead);
        }
        for (int i = 0; i < n; i++)
        {
            a.PrefetchW(new Mem(H, AheadBytes + i * Line));
            a.PrefetchT0(new Mem(A, AheadBytes + i * Line));
        }
        if (n <= Resident)
            for (int i = 0; i < n; i++) a.Vmovups(new Zmm(i), new Mem(H, i * Line));
        int loop = a.Position;
        for (int i = 0; i < Ahead.Length; i++) a.PrefetchT0(new Mem(Inputs[i], 0, Ahead[i]));
        Row(a, n);
        index = 6;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[U, Dt, Z, Y, B, C]) a.Add(pointer, new Mem(Arguments, 8 * index++));
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(loop);
        if (n <= Resident)
            for (int i = 0; i < n; i++) a.VmovupsStore(new Mem(H, i * Line), new Zmm(i));
        for (int i = Saved.Length - 1; i >= 0; i--) a.Pop(Saved[i]);
        a.Return();
    }

    private static void Row(Assembler a, int n)
    {
        a.Vmovups(Odd, new Mem(Dt), mask: Live);
        a.Vmovups(X, new Mem(Bias), mask: Live);
        a.Vaddps(X, X, Odd);
        ElementaryCode.Softplus(a, Delta, X, E, V, Z1);
        a.Vmovups(X, new Mem(U), mask: Live);
        a.Vmovups(Even, new Mem(Skip), mask: Live);
        a.Vmulps(Input, Delta, X);
        a.Vmulps(Even, Even, X);
        a.Vpxord(Odd, Odd, Odd);
        for (int i = 0; i < n; i += Together) Advance(a, i, Math.Min(Together, n - i), inMemory: n > Resident);
        a.Vaddps(Even, Even, Odd);
        a.Vmovups(X, new Mem(Z), mask: Live);
        ElementaryCode.Sigmoid(a, V, X, E, Z1, Negative);
        a.Vmulps(Even, Even, X);
        a.Vmulps(Even, Even, V);
        a.VmovupsStore(new Mem(Y), Even, mask: Live);
    }

    /// <summary>States <paramref name="first"/> to first + <paramref name="count"/> of all lanes, stage by stage.</summary>
    private static void Advance(Assembler a, int first, int count, bool inMemory)
    {
        Each(i => a.Vmulps(T(i), Delta, new Mem(A, (first + i) * Line)));
        Each(i => a.VreducepsFloor(R(i), T(i)));
        Each(i => a.Vbroadcastss(P(i), a.Constant(ElementaryCode.Exp2[^1])));
        for (int c = ElementaryCode.Exp2.Length - 2; c >= 0; c--) Each(i => a.Vfmadd213ps(P(i), R(i), Coefficients[c]));
        Each(i => a.Vfmadd213ps(P(i), R(i), a.Constant(1f)));
        Each(i => a.Vscalefps(P(i), P(i), T(i)));
        Each(i => a.Vmulps(R(i), Input, new Mem(B, (first + i) * sizeof(float)).ToAllLanes));
        if (inMemory) Each(i => a.Vmovups(State(i), new Mem(H, (first + i) * Line)));
        Each(i => a.Vfmadd213ps(State(i), P(i), R(i)));
        if (inMemory) Each(i => a.VmovupsStore(new Mem(H, (first + i) * Line), State(i)));
        Each(i => a.Vfmadd231ps(i % 2 == 0 ? Even : Odd, State(i), new Mem(C, (first + i) * sizeof(float)).ToAllLanes));

        void Each(Action<int> write)
        {
            for (int i = 0; i < count; i++) write(i);
        }

        Zmm State(int i) => inMemory ? new Zmm(i) : new Zmm(first + i);
    }

    private static Zmm T(int i) => new(20 + 3 * i);

    private static Zmm R(int i) => new(21 + 3 * i);

    private static Zmm P(int i) => new(22 + 3 * i);
}

/// <summary>What the code of a selective scan depends on.</summary>
/// <param name="DState">States of a channel.</param>
internal readonly record struct SelectiveScanShape(int DState);
