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
/// in the first-level cache. A state takes eleven instructions: one for Δ·A, seven for 2^x, three for the recurrence and its output.
/// </remarks>
internal static class SelectiveScanCode
{
    /// <summary>Channels of a group.</summary>
    public const int Lanes = 16;

    /// <summary>The most states there is code for: it is unrolled over them.</summary>
    public const int MostStates = 128;

    private const int Resident = 16, Line = 64;

    private const Gpr U = Gpr.Rsi, Dt = Gpr.Rdx, Z = Gpr.Rcx, Y = Gpr.R8, B = Gpr.R9, C = Gpr.R10, A = Gpr.R11, H = Gpr.Rax, Left = Gpr.Rbx, Arguments = Gpr.Rdi;

    private static readonly Zmm Delta = new(16), Input = new(17), Even = new(18), Odd = new(19), T = new(20), R = new(21), P = new(22), Q = new(23);
    private static readonly Zmm State = new(24), X = new(25), Skip = new(26), Bias = new(27);
    private static readonly Zmm[] Coefficients = [new(28), new(29), new(30), new(31)];
    private static readonly Mask Live = new(1), Negative = new(2);

    public static void Emit(Assembler a, SelectiveScanShape shape)
    {
        int n = shape.DState;
        a.Push(Left);
        int index = 0;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[U, Dt, Z, Y, B, C]) a.Mov(pointer, new Mem(Arguments, 8 * index++));
        a.Mov(H, new Mem(Arguments, 12 * 8));
        a.Mov(A, new Mem(Arguments, 15 * 8));
        a.Mov(Left, new Mem(Arguments, 17 * 8));
        a.Kmovw(Live, Left);
        a.Vmovups(Bias, new Mem(A), mask: Live);
        a.Mov(A, new Mem(Arguments, 14 * 8));
        a.Vmovups(Skip, new Mem(A), mask: Live);
        a.Mov(A, new Mem(Arguments, 13 * 8));
        a.Mov(Left, new Mem(Arguments, 16 * 8));
        for (int i = 0; i < 4; i++) a.Vbroadcastss(Coefficients[i], a.Constant(ElementaryCode.Exp2[i]));
        if (n <= Resident)
            for (int i = 0; i < n; i++) a.Vmovups(new Zmm(i), new Mem(H, i * Line));
        int loop = a.Position;
        Row(a, n);
        index = 6;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[U, Dt, Z, Y, B, C]) a.Add(pointer, new Mem(Arguments, 8 * index++));
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(loop);
        if (n <= Resident)
            for (int i = 0; i < n; i++) a.VmovupsStore(new Mem(H, i * Line), new Zmm(i));
        a.Pop(Left);
        a.Return();
    }

    private static void Row(Assembler a, int n)
    {
        a.Vmovups(X, new Mem(Dt), mask: Live);
        a.Vaddps(X, X, Bias);
        ElementaryCode.Softplus(a, Delta, X, P, T, R);
        a.Vmovups(X, new Mem(U), mask: Live);
        a.Vmulps(Input, Delta, X);
        a.Vmulps(Even, Skip, X);
        a.Vpxord(Odd, Odd, Odd);
        for (int i = 0; i < n; i++) Advance(a, i, n <= Resident ? new Zmm(i) : State, inMemory: n > Resident);
        a.Vaddps(Even, Even, Odd);
        a.Vmovups(X, new Mem(Z), mask: Live);
        ElementaryCode.Sigmoid(a, R, X, P, T, Negative);
        a.Vmulps(Even, Even, X);
        a.Vmulps(Even, Even, R);
        a.VmovupsStore(new Mem(Y), Even, mask: Live);
    }

    /// <summary>State i of all lanes.</summary>
    private static void Advance(Assembler a, int i, Zmm h, bool inMemory)
    {
        a.Vmulps(T, Delta, new Mem(A, i * Line));
        a.VreducepsFloor(R, T);
        a.Vbroadcastss(P, a.Constant(ElementaryCode.Exp2[4]));
        for (int c = 3; c >= 0; c--) a.Vfmadd213ps(P, R, Coefficients[c]);
        a.Vfmadd213ps(P, R, a.Constant(1f));
        a.Vscalefps(P, P, T);
        a.Vmulps(Q, Input, new Mem(B, i * sizeof(float)).ToAllLanes);
        if (inMemory) a.Vmovups(h, new Mem(H, i * Line));
        a.Vfmadd213ps(h, P, Q);
        if (inMemory) a.VmovupsStore(new Mem(H, i * Line), h);
        a.Vfmadd231ps(i % 2 == 0 ? Even : Odd, h, new Mem(C, i * sizeof(float)).ToAllLanes);
    }
}

/// <summary>What the code of a selective scan depends on.</summary>
/// <param name="DState">States of a channel.</param>
internal readonly record struct SelectiveScanShape(int DState);
