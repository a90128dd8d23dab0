namespace MambaRT.Backends.Cpu;

/// <summary><see cref="LinearOp"/>: a unit is a block of output columns; few rows go one by one, many as a matrix–matrix product.</summary>
internal sealed unsafe class LinearStep(
    CpuModel model, BatchRows rows, LinearOp op, WeightKernel kernel, LinearInput x, Epilogue store, byte* scratch, long scratchPerMember) : Step
{
    /// <summary>
    /// Weight bytes of a unit of decode. The most take about 10 µs: a stream long enough to be read ahead, and short against a scheduler's time slice. Small
    /// matrices are cut into a few units a member, so that all have work, but none so short that it is over before memory has answered.
    /// </summary>
    private const long MostBytesPerUnit = 256 << 10, LeastBytesPerUnit = 32 << 10, UnitsPerMember = 4;

    /// <summary>Columns of a unit of decode, so that their sums fit the stack.</summary>
    private const int MostDotColumns = 1024;

    private readonly int _dotColumns = DotColumns(kernel, model.Team.Size);

    private readonly int _panelColumns = WeightKernel.PanelRows * kernel.PanelsTogether;

    public override int Units => rows.Count(op.X.Rows) is not 0 and int count ? Cover(kernel.Rows, count < kernel.RowsForPanels ? _dotColumns : _panelColumns) : 0;

    private static int DotColumns(WeightKernel kernel, int members)
    {
        long bytes = Math.Clamp(kernel.Rows * kernel.BytesPerRow / (members * UnitsPerMember), LeastBytesPerUnit, MostBytesPerUnit);
        long panels = bytes / Math.Max(1, kernel.BytesPerRow) / WeightKernel.PanelRows;
        return (int)Math.Clamp(panels, 1, MostDotColumns / WeightKernel.PanelRows) * WeightKernel.PanelRows;
    }

    public override void Run(int unit, int member)
    {
        byte* own = scratch + scratchPerMember * member;
        int count = rows.Count(op.X.Rows);
        if (count >= kernel.RowsForPanels)
        {
            int first = unit * _panelColumns, together = Math.Min(_panelColumns, kernel.Rows - first);
            model.Finite.Check(op.Weight, first, together);
            kernel.Multiply(first, together, x, count, own, store);
            return;
        }
        int begin = unit * _dotColumns, columns = Math.Min(_dotColumns, kernel.Rows - begin);
        model.Finite.Check(op.Weight, begin, columns);
        float* sums = stackalloc float[count * columns];
        kernel.Dot(begin, columns, x, count, sums, own);
        for (int t = 0; t < count; t++) store.Row(t, begin, columns, sums + t * columns);
    }
}
