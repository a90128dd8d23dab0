namespace MambaRT.Backends.Cpu;

/// <summary>
/// The selective scan of up to sixteen channels over some rows of one sequence: Δ = softplus(dt + bias), h = h·2^(Δ·A) + (Δ·u)·B, y = (Σ h·C + D·u)·silu(z);
/// A carries the factor log2 e.
/// </summary>
/// <remarks>
/// Lanes are channels, so there are no sums across lanes. With up to sixteen states h stays in zmm0 to 15 over all rows; with more it is read and written
/// in the first-level cache. A state takes eleven instructions: one for Δ·A, seven for 2^x, three for the recurrence and its output. Three passes, as in the
/// plain form: a row's Δ and gate in the recurrence's loop would fill the processor's queue with what waits for them (60 ns a row instead of 43).
/// </remarks>
internal static unsafe class SelectiveScanCode
{
    /// <summary>Channels of a group.</summary>
    public const int Lanes = 16;

    /// <summary>The most states there is code for: it is unrolled over them.</summary>
    public const int MostStates = 128;

    /// <summary>Rows whose softplus and sigmoid are computed beside each other.</summary>
    public const int MostRowsTogether = 4;

    private const int Resident = 16, Line = 64;

    private const Gpr U = Gpr.Rsi, Dt = Gpr.Rdx, Z = Gpr.Rcx, Y = Gpr.R8, B = Gpr.R9, C = Gpr.R10, A = Gpr.R11, H = Gpr.Rax, Left = Gpr.Rbx, Pointer = Gpr.R12;
    private const Gpr Arguments = Gpr.Rdi, Scratch = Gpr.R13, AheadOfU = Gpr.R14, AheadOfDt = Gpr.R15;

    /// <summary>
    /// How many rows ahead u and dt are asked for: from row to row they lie pages apart, which the processor does not foresee, and the pass over dt takes
    /// less time for a row. What the gate reads and writes is asked for in the recurrence.
    /// </summary>
    private const int RowsAhead = 8, DeltasAhead = 32;

    /// <summary>How far ahead h and A of the next channels are asked for: with one row, reading them is what takes the time.</summary>
    private const int AheadBytes = 4096;

    /// <summary>States whose instructions are interleaved, so that those that wait for another do not fill the processor's queue.</summary>
    private const int Together = 2;

    private static readonly Gpr[] Saved = [Left, Pointer, Scratch, AheadOfU, AheadOfDt];

    // In the recurrence.
    private static readonly Zmm Delta = new(16), Input = new(17), Even = new(18), Odd = new(19), Skip = new(27), One = new(26);
    private static readonly Zmm[] Coefficients = [new(28), new(29), new(30), new(31)];

    // In the passes before and after it, which come while h is in memory.
    private static readonly Zmm Bias = new(31);
    private static readonly Mask Live = new(1);

    public static void Emit(Assembler a, SelectiveScanShape shape)
    {
        foreach (Gpr saved in Saved) a.Push(saved);
        a.Mov(U, Argument(s => &s->U));
        a.Mov(Dt, Argument(s => &s->Dt));
        a.Mov(Z, Argument(s => &s->Z));
        a.Mov(Y, Argument(s => &s->Y));
        a.Mov(B, Argument(s => &s->B));
        a.Mov(C, Argument(s => &s->C));
        a.Mov(H, Argument(s => &s->H));
        a.Mov(A, Argument(s => &s->A));
        a.Mov(Left, Argument(s => &s->LaneMask));
        a.Kmovw(Live, Left);
        a.Mov(AheadOfU, Argument(s => &s->UStride));
        a.Shl(AheadOfU, RowsAhead);
        a.Mov(AheadOfDt, Argument(s => &s->DtStride));
        a.Shl(AheadOfDt, DeltasAhead);
        for (int i = 0; i < shape.DState; i++)
        {
            a.PrefetchW(new Mem(H, AheadBytes + i * Line));
            a.PrefetchT0(new Mem(A, AheadBytes + i * Line));
        }
        Deltas(a, shape.RowsTogether);
        Recurrence(a, shape.DState);
        Gates(a, shape.RowsTogether);
        for (int i = Saved.Length - 1; i >= 0; i--) a.Pop(Saved[i]);
        a.Return();
    }

    private static Mem Argument(FieldOf<SelectiveScanArguments> field) => new Mem(Arguments).Field(field);

    /// <summary>A loop over the rows, so many at a time, with the scratch's pointer at the first of them.</summary>
    private static void Rows(Assembler a, int together, Action body)
    {
        a.Mov(Scratch, Argument(s => &s->Scratch));
        a.Mov(Left, Argument(s => &s->Rows));
        int loop = a.Position;
        body();
        a.Add(Scratch, together * Line);
        a.Sub(Left, together);
        a.JumpBackIfNotZero(loop);
    }

    private static void Deltas(Assembler a, int together)
    {
        ElementaryRegisters[] rows = ElementaryRegisters.Several(together, firstRegister: 0, firstMask: 2);
        a.Mov(Pointer, Argument(s => &s->DtBias));
        a.Vmovups(Bias, new Mem(Pointer), mask: Live);
        Rows(a, together, () =>
        {
            foreach (ElementaryRegisters row in rows)
            {
                a.PrefetchT0(new Mem(Dt, 0, AheadOfDt));
                a.Vmovups(row.X, new Mem(Dt), mask: Live);
                a.Add(Dt, Argument(s => &s->DtStride));
            }
            foreach (ElementaryRegisters row in rows) a.Vaddps(row.X, row.X, Bias);
            ElementaryCode.Softplus(a, rows);
            for (int i = 0; i < together; i++) a.VmovupsStore(new Mem(Scratch, i * Line), rows[i].To);
        });
    }

    /// <summary>Puts Σ h·C + D·u where Δ was.</summary>
    private static void Recurrence(Assembler a, int n)
    {
        for (int i = 0; i < Coefficients.Length; i++) a.Vbroadcastss(Coefficients[i], a.Constant(ElementaryCode.Exp2[i]));
        a.Vbroadcastss(One, a.Constant(1f));
        a.Mov(Pointer, Argument(s => &s->D));
        a.Vmovups(Skip, new Mem(Pointer), mask: Live);
        if (n <= Resident)
            for (int i = 0; i < n; i++) a.Vmovups(new Zmm(i), new Mem(H, i * Line));
        Rows(a, 1, () =>
        {
            a.PrefetchT0(new Mem(U, 0, AheadOfU));
            a.PrefetchT0(new Mem(Z));
            a.PrefetchW(new Mem(Y));
            a.Vmovups(Even, new Mem(U), mask: Live);
            a.Vmovups(Delta, new Mem(Scratch));
            a.Vmulps(Input, Delta, Even);
            a.Vmulps(Even, Even, Skip);
            a.Vpxord(Odd, Odd, Odd);
            for (int i = 0; i < n; i += Together) Advance(a, i, Math.Min(Together, n - i), inMemory: n > Resident);
            a.Vaddps(Even, Even, Odd);
            a.VmovupsStore(new Mem(Scratch), Even);
            a.Add(U, Argument(s => &s->UStride));
            a.Add(Z, Argument(s => &s->ZStride));
            a.Add(Y, Argument(s => &s->YStride));
            a.Add(B, Argument(s => &s->BStride));
            a.Add(C, Argument(s => &s->CStride));
        });
        if (n <= Resident)
            for (int i = 0; i < n; i++) a.VmovupsStore(new Mem(H, i * Line), new Zmm(i));
    }

    private static void Gates(Assembler a, int together)
    {
        ElementaryRegisters[] rows = ElementaryRegisters.Several(together, firstRegister: 0, firstMask: 2);
        a.Mov(Z, Argument(s => &s->Z));
        a.Mov(Y, Argument(s => &s->Y));
        Rows(a, together, () =>
        {
            foreach (ElementaryRegisters row in rows)
            {
                a.Vmovups(row.X, new Mem(Z), mask: Live);
                a.Add(Z, Argument(s => &s->ZStride));
            }
            ElementaryCode.Sigmoid(a, rows);
            foreach (ElementaryRegisters row in rows) a.Vmulps(row.To, row.To, row.X);
            for (int i = 0; i < together; i++) a.Vmulps(rows[i].To, rows[i].To, new Mem(Scratch, i * Line));
            foreach (ElementaryRegisters row in rows)
            {
                a.VmovupsStore(new Mem(Y), row.To, mask: Live);
                a.Add(Y, Argument(s => &s->YStride));
            }
        });
    }

    /// <summary>States <paramref name="first"/> to first + <paramref name="count"/> of all lanes, stage by stage.</summary>
    private static void Advance(Assembler a, int first, int count, bool inMemory)
    {
        Each(i => a.Vmulps(T(i), Delta, new Mem(A, (first + i) * Line)));
        Each(i => a.VreducepsFloor(R(i), T(i)));
        Each(i => a.Vbroadcastss(P(i), a.Constant(ElementaryCode.Exp2[^1])));
        for (int c = ElementaryCode.Exp2.Length - 2; c >= 0; c--) Each(i => a.Vfmadd213ps(P(i), R(i), Coefficients[c]));
        Each(i => a.Vfmadd213ps(P(i), R(i), One));
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
