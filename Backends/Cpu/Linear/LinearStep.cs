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

    /// <summary>Multiply-adds of a slice of a prompt: about 0.1 ms of a core that has AVX2 and no more.</summary>
    private const long MultiplyAddsPerSlice = 4 << 20;

    private readonly int _dotColumns = DotColumns(kernel, model.Team.Size);

    private readonly int _panelColumns = WeightKernel.PanelRows * kernel.PanelsTogether;

    public override int Units => rows.Count(op.X.Rows) is not 0 and int count ? Cover(kernel.Rows, InPanels(count) ? _panelColumns : _dotColumns) : 0;

    /// <summary>In a prompt each unit is cut once more, by rows; the weights are laid out for each part.</summary>
    public override int Slices => InPanels(rows.Count(op.X.Rows)) ? Units * Cover(rows.Count(op.X.Rows), SliceRows) : Units;

    private int SliceRows => (int)Math.Max(1, MultiplyAddsPerSlice / ((long)Math.Min(_panelColumns, kernel.Rows) * kernel.Columns) / TileStore.Rows) * TileStore.Rows;

    private bool InPanels(int count) => count >= kernel.RowsForPanels;

    private static int DotColumns(WeightKernel kernel, int members)
    {
        long bytes = Math.Clamp(kernel.Rows * kernel.BytesPerRow / (members * UnitsPerMember), LeastBytesPerUnit, MostBytesPerUnit);
        long panels = bytes / Math.Max(1, kernel.BytesPerRow) / WeightKernel.PanelRows;
        return (int)Math.Clamp(panels, 1, MostDotColumns / WeightKernel.PanelRows) * WeightKernel.PanelRows;
    }

    public override void Run(int unit, int member)
    {
        int count = rows.Count(op.X.Rows);
        if (InPanels(count))
        {
            Multiply(unit, 0, count, member);
            return;
        }
        int begin = unit * _dotColumns, columns = Math.Min(_dotColumns, kernel.Rows - begin);
        model.Finite.Check(op.Weight, begin, columns);
        float* sums = stackalloc float[count * columns];
        kernel.Dot(begin, columns, x, count, sums, scratch + scratchPerMember * member);
        for (int t = 0; t < count; t++) store.Row(t, begin, columns, sums + t * columns);
    }

    public override void RunSlice(int slice, int member)
    {
        int count = rows.Count(op.X.Rows), height = SliceRows, parts = Cover(count, height), from = slice % parts * height;
        if (InPanels(count)) Multiply(slice / parts, from, Math.Min(from + height, count), member);
        else Run(slice, member);
    }

    /// <summary>A unit's panels by activation rows <paramref name="from"/> to <paramref name="to"/>.</summary>
    private void Multiply(int unit, int from, int to, int member)
    {
        int begin = unit * _panelColumns, columns = Math.Min(_panelColumns, kernel.Rows - begin);
        model.Finite.Check(op.Weight, begin, columns);
        kernel.Multiply(begin, columns, x, from, to, scratch + scratchPerMember * member, store);
    }
}
