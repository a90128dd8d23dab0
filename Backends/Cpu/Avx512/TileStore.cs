namespace MambaRT.Backends.Cpu;

/// <summary>Where the code of a matrix–matrix product leaves its tile; strides are in bytes, and a bit of a mask is a column that exists.</summary>
/// <remarks>Where there is no bias or nothing to add, the pointers are at <see cref="CodeCache.Zeros"/> and the stride is 0.</remarks>
internal unsafe struct TileStore
{
    public float* Y, Bias, AddTo;
    public long YStride, AddStride, FirstMask, SecondMask;

    /// <summary>Columns <paramref name="begin"/> to begin + <paramref name="count"/> (at most 32) of row <paramref name="row"/> and the next ones.</summary>
    public static TileStore At(in Epilogue store, int row, int begin, int count, CodeCache code) => new()
    {
        Y = store.Y.Row(row) + begin,
        YStride = store.Y.RowBytes,
        Bias = store.Bias == null ? code.Zeros : store.Bias + begin,
        AddTo = store.AddTo.Data == null ? code.Zeros : store.AddTo.Row(row) + begin,
        AddStride = store.AddTo.Data == null ? 0 : store.AddTo.RowBytes,
        FirstMask = Mask(count),
        SecondMask = Mask(count - WeightKernel.PanelRows),
    };

    /// <summary>Writes y = sum + bias + addTo of a tile, whose rows lie in pairs of registers from zmm0 on; uses zmm30, zmm31, masks 1 and 2 and all registers but rsp.</summary>
    /// <param name="a">The code.</param>
    /// <param name="at">Where this structure lies.</param>
    /// <param name="height">Rows.</param>
    /// <param name="panels">Panels of sixteen columns, 1 or 2.</param>
    public static void Emit(Assembler a, Mem at, int height, int panels)
    {
        const Gpr Y = Gpr.Rsi, Bias = Gpr.Rdx, AddTo = Gpr.Rcx, YStride = Gpr.R8, AddStride = Gpr.R9, Bits = Gpr.R10;
        int index = 0;
        foreach (Gpr register in (ReadOnlySpan<Gpr>)[Y, Bias, AddTo, YStride, AddStride]) a.Mov(register, at.Plus(8 * index++));
        for (int p = 0; p < panels; p++)
        {
            a.Mov(Bits, at.Plus(8 * index++));
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
    }

    private static long Mask(int columns) => columns <= 0 ? 0 : (1L << Math.Min(columns, WeightKernel.PanelRows)) - 1;
}
