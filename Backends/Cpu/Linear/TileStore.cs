namespace MambaRT.Backends.Cpu;

/// <summary>Where the code of a matrix–matrix product leaves its tile; strides are in bytes, and a bit of a mask is a column that exists.</summary>
/// <remarks>Where there is no bias or nothing to add, the pointers are at <see cref="CodeCache.Zeros"/> and the stride is 0.</remarks>
internal unsafe struct TileStore
{
    public float* Y, Bias, AddTo;
    public long YStride, AddStride, FirstMask, SecondMask;

    /// <summary>Activation rows of a tile: with <see cref="Pair"/> panels, twelve registers of sums.</summary>
    public const int Rows = 6;

    /// <summary>Panels multiplied together.</summary>
    public const int Pair = 2;

    /// <summary>Tiles of one call: enough to make the call cheap, few enough for their activations to stay near.</summary>
    private const int TilesTogether = 8;

    /// <summary>What to do next of so many rows: some whole tiles, or a lower one at the end.</summary>
    public static (int Height, int Tiles) Next(int rows) => rows >= Rows ? (Rows, Math.Min(rows / Rows, TilesTogether)) : (rows, 1);

    /// <summary>Columns <paramref name="begin"/> to begin + <paramref name="count"/> (at most 32) of row <paramref name="row"/> and the next ones.</summary>
    public static TileStore At(in Epilogue store, int row, int begin, int count, CodeCache code) => new()
    {
        Y = store.Y.Row(row) + begin,
        YStride = store.Y.RowBytes,
        Bias = store.Bias == null ? code.Zeros : store.Bias + begin,
        AddTo = store.AddTo.Data == null ? code.Zeros : store.AddTo.Row(row) + begin,
        AddStride = store.AddTo.Data == null ? 0 : store.AddTo.RowBytes,
        FirstMask = Mask.OfLanes(count),
        SecondMask = Mask.OfLanes(count - WeightKernel.PanelRows),
    };

    /// <summary>Lets the code go on with the next rows: adds to pointers of an argument structure, and counts down.</summary>
    /// <param name="a">The code.</param>
    /// <param name="pointers">Where each pointer lies, and the bytes it moves on by.</param>
    /// <param name="count">Where the number of tiles lies.</param>
    /// <param name="loop">The position of the loop over tiles.</param>
    public static void EmitNext(Assembler a, ReadOnlySpan<(Mem At, int Bytes)> pointers, Mem count, int loop)
    {
        foreach ((Mem at, int bytes) in pointers)
        {
            a.Mov(Gpr.Rax, at);
            a.Add(Gpr.Rax, bytes);
            a.MovStore(at, Gpr.Rax);
        }
        a.Mov(Gpr.Rax, count);
        a.Sub(Gpr.Rax, 1);
        a.MovStore(count, Gpr.Rax);
        a.JumpBackIfNotZero(loop);
    }

    /// <summary>Writes y = sum + bias + addTo of a tile, whose rows lie in pairs of registers from zmm0 on, and moves the pointers on behind it.</summary>
    /// <remarks>Uses zmm30, zmm31, masks 1 and 2, and rsi, rdx, rcx, r8, r9, r10.</remarks>
    /// <param name="a">The code.</param>
    /// <param name="at">Where this structure lies.</param>
    /// <param name="height">Rows.</param>
    /// <param name="panels">Panels of sixteen columns, 1 or 2.</param>
    public static void Emit(Assembler a, Mem at, int height, int panels)
    {
        const Gpr Y = Gpr.Rsi, Bias = Gpr.Rdx, AddTo = Gpr.Rcx, YStride = Gpr.R8, AddStride = Gpr.R9, Bits = Gpr.R10;
        a.Mov(Y, at.Field<TileStore>(s => &s->Y));
        a.Mov(Bias, at.Field<TileStore>(s => &s->Bias));
        a.Mov(AddTo, at.Field<TileStore>(s => &s->AddTo));
        a.Mov(YStride, at.Field<TileStore>(s => &s->YStride));
        a.Mov(AddStride, at.Field<TileStore>(s => &s->AddStride));
        for (int p = 0; p < panels; p++)
        {
            a.Mov(Bits, p == 0 ? at.Field<TileStore>(s => &s->FirstMask) : at.Field<TileStore>(s => &s->SecondMask));
            a.Kmovw(new Mask(p + 1), Bits);
        }
        for (int r = 0; r < height; r++)
        {
            for (int p = 0; p < panels; p++)
            {
                Zmm sum = new(2 * r + p), term = new(30 + p);
                a.Vmovups(term, new Mem(Bias, 64 * p), mask: new Mask(p + 1));
                a.Vaddps(sum, sum, term);
                a.Vmovups(term, new Mem(AddTo, 64 * p), mask: new Mask(p + 1));
                a.Vaddps(sum, sum, term);
                a.VmovupsStore(new Mem(Y, 64 * p), sum, mask: new Mask(p + 1));
            }
            a.Add(Y, YStride);
            a.Add(AddTo, AddStride);
        }
        a.MovStore(at.Field<TileStore>(s => &s->Y), Y);
        a.MovStore(at.Field<TileStore>(s => &s->AddTo), AddTo);
    }
}
