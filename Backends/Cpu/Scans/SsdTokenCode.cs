namespace MambaRT.Backends.Cpu;

/// <summary>The SSD scan h = a·h + Δ·x·Bᵀ, y = h·C + D·x of up to sixteen rows of one head over one token: what decode does.</summary>
/// <remarks>
/// Lanes are rows. With one token h is read and written once, in the order it lies in memory, and that takes the time: three instructions a state, in sums that take
/// turns, wait for nothing else. Over more tokens <see cref="SsdScanCode"/> keeps h in registers.
/// </remarks>
internal static unsafe class SsdTokenCode
{
    /// <summary>States of a round of the loop.</summary>
    private const int Together = 8;

    /// <summary>Sums that states take turns with.</summary>
    private const int Turns = 4;

    private const int Line = 64;

    /// <summary>How far ahead h is asked for, past what the processor foresees.</summary>
    private const int BytesAhead = 2048;

    private const Gpr X = Gpr.Rsi, Y = Gpr.Rdx, B = Gpr.Rcx, C = Gpr.R8, H = Gpr.R9, Left = Gpr.Rax, Scalar = Gpr.R10, Arguments = Gpr.Rdi;

    private static readonly Zmm Decay = new(0), Input = new(1);
    private static readonly Mask Live = new(1);

    public static void Emit(Assembler a, SsdTokenShape shape)
    {
        a.Mov(X, Argument(s => &s->X));
        a.Mov(Y, Argument(s => &s->Y));
        a.Mov(B, Argument(s => &s->B));
        a.Mov(C, Argument(s => &s->C));
        a.Mov(H, Argument(s => &s->H));
        a.Mov(Left, Argument(s => &s->LaneMask));
        a.Kmovw(Live, Left);
        a.Vmovups(Sum(0), new Mem(X), mask: Live);
        a.Mov(Scalar, Argument(s => &s->Delta));
        a.Vmulps(Input, Sum(0), new Mem(Scalar).ToAllLanes);
        a.Mov(Scalar, Argument(s => &s->Decay));
        a.Vbroadcastss(Decay, new Mem(Scalar));
        a.Mov(Scalar, Argument(s => &s->D));
        a.Vmulps(Sum(0), Sum(0), new Mem(Scalar).ToAllLanes);
        for (int i = 1; i < Turns; i++) a.Vpxord(Sum(i), Sum(i), Sum(i));
        if (shape.DState >= Together)
        {
            a.MovImmediate(Left, shape.DState / Together);
            int round = a.Position;
            Advance(a, Together);
            a.Add(B, Together * sizeof(float));
            a.Add(C, Together * sizeof(float));
            a.Add(H, Together * Line);
            a.Sub(Left, 1);
            a.JumpBackIfNotZero(round);
        }
        Advance(a, shape.DState % Together);
        for (int i = 1; i < Turns; i++) a.Vaddps(Sum(0), Sum(0), Sum(i));
        a.VmovupsStore(new Mem(Y), Sum(0), mask: Live);
        a.Return();
    }

    private static Mem Argument(FieldOf<SsdTokenArguments> field) => new Mem(Arguments).Field(field);

    private static void Advance(Assembler a, int states)
    {
        for (int s = 0; s < states; s++)
        {
            Zmm h = new(16 + s);
            a.PrefetchT0(new Mem(H, BytesAhead + s * Line));
            a.Vmulps(h, Decay, new Mem(H, s * Line));
            a.Vfmadd231ps(h, Input, new Mem(B, s * sizeof(float)).ToAllLanes);
            a.VmovupsStore(new Mem(H, s * Line), h);
            a.Vfmadd231ps(Sum(s), h, new Mem(C, s * sizeof(float)).ToAllLanes);
        }
    }

    private static Zmm Sum(int state) => new(2 + state % Turns);
}
