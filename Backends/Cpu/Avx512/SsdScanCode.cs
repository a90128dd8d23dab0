namespace MambaRT.Backends.Cpu;

/// <summary>What the code of an SSD scan depends on.</summary>
/// <param name="DState">States of a row.</param>
/// <param name="Groups">Groups of sixteen rows, 1 or 2.</param>
/// <param name="States">States it advances, up to <see cref="SsdScanCode.StatesTogether"/>.</param>
/// <param name="First">Whether these are the first states, whose pass also begins y.</param>
internal readonly record struct SsdScanShape(int DState, int Groups, int States, bool First);

/// <summary>What a pass over some tokens reads and writes; strides are in bytes, and a bit of a mask is a row that exists.</summary>
internal unsafe struct SsdScanArguments
{
    public float* X, Y, B, C, InScales, OutScales, Factors;
    public long* Counts;
    public long Segments;
    public long XStride, YStride, BStride, CStride;
    public float* H, D, LastFactor;
    public long FirstMask, SecondMask;
}

/// <summary>
/// The SSD scan h = a·h + Δ·x·Bᵀ, y = h·C + D·x of one head, for some of its rows and states over some tokens, in two multiply-adds for each state.
/// </summary>
/// <remarks>
/// Lanes are rows of the head, and h stays in zmm0 to 15 over all tokens. The decay a is one number a head, so the code carries g = h / P, where P is the product
/// of the decays since the beginning of a segment: g takes only Δ·x / P·B, and y takes P·(g·C). A segment ends before P leaves
/// [<see cref="SsdSchedule.SmallestProduct"/>, 1]; then g is multiplied by the decay up to the next segment's first token. What g is rounded by
/// decays as h itself does, so this is as exact as the plain recurrence.
/// </remarks>
internal static class SsdScanCode
{
    /// <summary>Rows of a group.</summary>
    public const int Lanes = 16;

    /// <summary>Groups advanced together, so that B and C are loaded once for both.</summary>
    public const int GroupsTogether = 2;

    /// <summary>States advanced together: with two groups, sixteen registers of h.</summary>
    public const int StatesTogether = 8;

    /// <summary>Sums that states take turns with: one chain of additions would keep a token from ending before the next ones fill the processor's queue.</summary>
    private const int Turns = 2;

    private const int Line = 64;

    private const Gpr X = Gpr.Rsi, Y = Gpr.Rdx, B = Gpr.Rcx, C = Gpr.R8, InScales = Gpr.R9, OutScales = Gpr.R10, Factors = Gpr.R11, Counts = Gpr.Rax;
    private const Gpr Left = Gpr.Rbx, Segments = Gpr.Rbp, H = Gpr.R12, D = Gpr.R13, Arguments = Gpr.Rdi;

    /// <summary>How many tokens ahead B and C are asked for: from token to token they lie pages apart, which the processor does not foresee.</summary>
    private const int TokensAhead = 8;

    /// <summary>How far ahead h of the next states is asked for: with one row, reading it is what takes the time.</summary>
    private const int AheadBytes = 4096;

    private const Gpr BAhead = Gpr.R14, CAhead = Gpr.R15;

    private static readonly Gpr[] Saved = [Left, Segments, H, D, BAhead, CAhead];

    public static void Emit(Assembler a, SsdScanShape shape)
    {
        foreach (Gpr saved in Saved) a.Push(saved);
        a.Mov(Left, new Mem(Arguments, 16 * 8));
        a.Kmovw(Live(0), Left);
        a.Mov(Left, new Mem(Arguments, 17 * 8));
        a.Kmovw(Live(1), Left);
        int index = 0;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[X, Y, B, C, InScales, OutScales, Factors, Counts, Segments]) a.Mov(pointer, new Mem(Arguments, 8 * index++));
        a.Mov(H, new Mem(Arguments, 13 * 8));
        a.Mov(D, new Mem(Arguments, 14 * 8));
        a.Mov(BAhead, new Mem(Arguments, 11 * 8));
        a.Shl(BAhead, TokensAhead);
        a.Mov(CAhead, new Mem(Arguments, 12 * 8));
        a.Shl(CAhead, TokensAhead);
        ForEach(shape, (g, s) => a.PrefetchW(Stored(shape, g, s).Plus(AheadBytes)));
        ForEach(shape, (g, s) => a.Vmovups(State(g, s), Stored(shape, g, s)));
        int segment = a.Position;
        ForEach(shape, (g, s) => a.Vmulps(State(g, s), State(g, s), new Mem(Factors).ToAllLanes));
        a.Mov(Left, new Mem(Counts));
        int token = a.Position;
        a.PrefetchT0(new Mem(B, 0, BAhead));
        a.PrefetchT0(new Mem(C, 0, CAhead));
        Token(a, shape);
        int stride = 9;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[X, Y, B, C]) a.Add(pointer, new Mem(Arguments, 8 * stride++));
        a.Add(InScales, sizeof(float));
        a.Add(OutScales, sizeof(float));
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(token);
        a.Add(Factors, sizeof(float));
        a.Add(Counts, sizeof(long));
        a.Sub(Segments, 1);
        a.JumpBackIfNotZero(segment);
        a.Mov(Factors, new Mem(Arguments, 15 * 8));
        ForEach(shape, (g, s) =>
        {
            a.Vmulps(State(g, s), State(g, s), new Mem(Factors).ToAllLanes);
            a.VmovupsStore(Stored(shape, g, s), State(g, s));
        });
        for (int i = Saved.Length - 1; i >= 0; i--) a.Pop(Saved[i]);
        a.Return();
    }

    /// <summary>One token: g += (Δ·x / P)·B and y (+)= P·(g·C).</summary>
    private static void Token(Assembler a, SsdScanShape shape)
    {
        for (int g = 0; g < shape.Groups; g++)
        {
            a.Vmovups(Row(g), new Mem(X, g * Line), mask: Live(g));
            a.Vmulps(Input(g), Row(g), new Mem(InScales).ToAllLanes);
        }
        for (int s = 0; s < shape.States; s++)
        {
            Zmm b = new(24 + s % 4), c = new(28 + s % 4);
            a.Vbroadcastss(b, new Mem(B, s * sizeof(float)));
            a.Vbroadcastss(c, new Mem(C, s * sizeof(float)));
            for (int g = 0; g < shape.Groups; g++)
            {
                a.Vfmadd231ps(State(g, s), Input(g), b);
                if (s < Turns) a.Vmulps(Sum(g, s), State(g, s), c);
                else a.Vfmadd231ps(Sum(g, s), State(g, s), c);
            }
        }
        for (int g = 0; g < shape.Groups; g++)
        {
            if (shape.First) a.Vmulps(Row(g), Row(g), new Mem(D).ToAllLanes);
            else a.Vmovups(Row(g), new Mem(Y, g * Line), mask: Live(g));
            if (shape.States > 1) a.Vaddps(Sum(g, 0), Sum(g, 0), Sum(g, 1));
            a.Vfmadd231ps(Row(g), Sum(g, 0), new Mem(OutScales).ToAllLanes);
            a.VmovupsStore(new Mem(Y, g * Line), Row(g), mask: Live(g));
        }
    }

    private static void ForEach(SsdScanShape shape, Action<int, int> write)
    {
        for (int g = 0; g < shape.Groups; g++)
            for (int s = 0; s < shape.States; s++) write(g, s);
    }

    private static Mem Stored(SsdScanShape shape, int group, int state) => new(H, (group * shape.DState + state) * Line);

    private static Zmm State(int group, int state) => new(group * StatesTogether + state);

    private static Zmm Row(int group) => new(16 + group);

    private static Zmm Input(int group) => new(18 + group);

    private static Zmm Sum(int group, int state) => new(20 + Turns * group + state % Turns);

    private static Mask Live(int group) => new(1 + group);
}
