namespace MambaRT.Backends.Cpu;

/// <summary>
/// The SSD scan h = a·h + Δ·x·Bᵀ, y = h·C + D·x of one head, for some of its rows and states over some tokens, in two multiply-adds for each state.
/// </summary>
/// <remarks>
/// <para>Lanes are rows of the head, and h stays in zmm0 to 15 over all tokens. The decay a is one number a head, so the code carries g = h / P, where P is the product
/// of the decays since the beginning of a segment: g takes only Δ·x / P·B, and y / P takes D·x / P and g·C. A segment ends before P leaves
/// [<see cref="SsdSchedule.SmallestProduct"/>, 1]; then g is multiplied by the decay up to the next segment's first token. What g is rounded by
/// decays as h itself does, so this is as exact as the plain recurrence.</para>
/// <para>Products of matrices over chunks of tokens need the same two multiply-adds a state, and those within a chunk as well: over 512 tokens of 24 heads of 64 rows
/// and 128 states they took 273, 259, 262 and 302 ns a token and head in chunks of 16, 32, 64 and 128, where this form took 229 (both in C, on one core).</para>
/// <para>Between passes Δ·x / P and y / P lie in [tokens, 2, groups, lanes] of the first-level cache: the pass of the first states writes them, that of the last ones
/// writes y.</para>
/// </remarks>
internal static unsafe class SsdScanCode
{
    /// <summary>Rows of a group.</summary>
    public const int Lanes = 16;

    /// <summary>Groups advanced together, so that B and C are loaded once for both.</summary>
    public const int GroupsTogether = 2;

    /// <summary>States advanced together: with two groups, sixteen registers of h.</summary>
    public const int StatesTogether = 8;

    /// <summary>Floats that lie between passes for each token.</summary>
    public const int BetweenFloats = 2 * GroupsTogether * Lanes;

    private const int Line = 64;

    private const Gpr X = Gpr.Rsi, Y = Gpr.Rdx, B = Gpr.Rcx, C = Gpr.R8, Ahead = Gpr.R9, InScales = Gpr.R10, SkipScales = Gpr.R11, OutScales = Gpr.Rax;
    private const Gpr Left = Gpr.Rbx, Between = Gpr.Rbp, Factors = Gpr.R12, Counts = Gpr.R13, BAhead = Gpr.R14, CAhead = Gpr.R15, Arguments = Gpr.Rdi;

    /// <summary>How many tokens ahead B and C are asked for: from token to token they lie pages apart, which the processor does not foresee.</summary>
    private const int TokensAhead = 8;

    private static readonly Gpr[] Saved = [Left, Between, Factors, Counts, BAhead, CAhead];

    public static void Emit(Assembler a, SsdScanShape shape)
    {
        foreach (Gpr saved in Saved) a.Push(saved);
        a.Mov(Left, Argument(s => &s->FirstMask));
        a.Kmovw(Live(0), Left);
        a.Mov(Left, Argument(s => &s->SecondMask));
        a.Kmovw(Live(1), Left);
        a.Mov(BAhead, Argument(s => &s->BStride));
        a.Shl(BAhead, TokensAhead);
        a.Mov(CAhead, Argument(s => &s->CStride));
        a.Shl(CAhead, TokensAhead);
        a.Mov(Left, Argument(s => &s->H));   // h, where Left is not yet needed
        ForEach(shape, (g, s) => a.Vmovups(State(g, s), Stored(shape, g, s)));
        a.Mov(X, Argument(s => &s->X));
        a.Mov(Y, Argument(s => &s->Y));
        a.Mov(B, Argument(s => &s->B));
        a.Mov(C, Argument(s => &s->C));
        a.Mov(Ahead, Argument(s => &s->Ahead));
        a.Mov(InScales, Argument(s => &s->InScales));
        a.Mov(SkipScales, Argument(s => &s->SkipScales));
        a.Mov(OutScales, Argument(s => &s->OutScales));
        a.Mov(Factors, Argument(s => &s->Factors));
        a.Mov(Counts, Argument(s => &s->Counts));
        a.Mov(Between, Argument(s => &s->Between));
        int segment = a.Position;
        ForEach(shape, (g, s) => a.Vmulps(State(g, s), State(g, s), new Mem(Factors).ToAllLanes));
        a.Mov(Left, new Mem(Counts));
        int token = a.Position;
        Token(a, shape);
        Advance(a, shape);
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(token);
        a.Add(Factors, sizeof(float));
        a.Add(Counts, sizeof(long));
        a.Mov(Left, Argument(s => &s->Segments));
        a.Sub(Left, 1);
        a.MovStore(Argument(s => &s->Segments), Left);
        a.JumpBackIfNotZero(segment);
        a.Mov(Left, Argument(s => &s->H));
        a.Mov(Factors, Argument(s => &s->LastFactor));
        ForEach(shape, (g, s) =>
        {
            a.Vmulps(State(g, s), State(g, s), new Mem(Factors).ToAllLanes);
            a.VmovupsStore(Stored(shape, g, s), State(g, s));
        });
        for (int i = Saved.Length - 1; i >= 0; i--) a.Pop(Saved[i]);
        a.Return();
    }

    /// <summary>One token: g += (Δ·x / P)·B and y / P += g·C.</summary>
    private static void Token(Assembler a, SsdScanShape shape)
    {
        a.PrefetchT0(new Mem(B, 0, BAhead));
        a.PrefetchT0(new Mem(C, 0, CAhead));
        a.PrefetchT1(new Mem(Ahead));
        for (int g = 0; g < shape.Groups; g++)
        {
            if (shape.First)
            {
                a.Vmovups(Sum(g), new Mem(X, g * Line), mask: Live(g));
                a.Vmulps(Input(g), Sum(g), new Mem(InScales).ToAllLanes);
                a.Vmulps(Sum(g), Sum(g), new Mem(SkipScales).ToAllLanes);
                if (!shape.Last) a.VmovupsStore(StoredInput(g), Input(g));
            }
            else
            {
                a.Vmovups(Input(g), StoredInput(g));
                a.Vmovups(Sum(g), StoredSum(g));
            }
        }
        for (int s = 0; s < shape.States; s++)
        {
            Zmm b = new(24 + s % 4), c = new(28 + s % 4);
            a.Vbroadcastss(b, new Mem(B, s * sizeof(float)));
            a.Vbroadcastss(c, new Mem(C, s * sizeof(float)));
            for (int g = 0; g < shape.Groups; g++) a.Vfmadd231ps(State(g, s), Input(g), b);
            for (int g = 0; g < shape.Groups; g++) a.Vfmadd231ps(Sum(g), State(g, s), c);
        }
        for (int g = 0; g < shape.Groups; g++)
        {
            if (shape.Last)
            {
                a.Vmulps(Sum(g), Sum(g), new Mem(OutScales).ToAllLanes);
                a.VmovupsStore(new Mem(Y, g * Line), Sum(g), mask: Live(g));
            }
            else a.VmovupsStore(StoredSum(g), Sum(g));
        }
    }

    /// <summary>To the next token.</summary>
    private static void Advance(Assembler a, SsdScanShape shape)
    {
        a.Add(B, Argument(s => &s->BStride));
        a.Add(C, Argument(s => &s->CStride));
        a.Add(Ahead, Argument(s => &s->AheadStride));
        a.Add(Between, BetweenFloats * sizeof(float));
        if (shape.First)
        {
            a.Add(X, Argument(s => &s->XStride));
            a.Add(InScales, sizeof(float));
            a.Add(SkipScales, sizeof(float));
        }
        if (!shape.Last) return;
        a.Add(Y, Argument(s => &s->YStride));
        a.Add(OutScales, sizeof(float));
    }

    private static void ForEach(SsdScanShape shape, Action<int, int> write)
    {
        for (int g = 0; g < shape.Groups; g++)
            for (int s = 0; s < shape.States; s++) write(g, s);
    }

    private static Mem Argument(FieldOf<SsdScanArguments> field) => new Mem(Arguments).Field(field);

    private static Mem Stored(SsdScanShape shape, int group, int state) => new(Left, (group * shape.DState + state) * Line);

    private static Mem StoredInput(int group) => new(Between, group * Line);

    private static Mem StoredSum(int group) => new(Between, (GroupsTogether + group) * Line);

    private static Zmm State(int group, int state) => new(group * StatesTogether + state);

    private static Zmm Input(int group) => new(16 + group);

    private static Zmm Sum(int group) => new(18 + group);

    private static Mask Live(int group) => new(1 + group);
}
