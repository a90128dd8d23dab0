using MambaRT.Runtime;

namespace MambaRT.Backends.Cpu;

/// <summary><see cref="LinearOp"/>: a unit is a block of output columns; few rows go one by one, many as a matrix–matrix product.</summary>
internal sealed unsafe class LinearStep(
    BatchRows rows, RowDomain domain, WeightKernel kernel, LinearInput x, Epilogue store, byte* scratch, long scratchPerMember) : Step
{
    /// <summary>Weight bytes of a unit of decode: long against the counter's 50 ns, short against a scheduler's time slice.</summary>
    private const int BytesPerUnit = 32 << 10;

    private readonly int _dotColumns = Math.Max(WeightKernel.PanelRows,
        (int)(BytesPerUnit / Math.Max(1, kernel.BytesPerRow) / WeightKernel.PanelRows * WeightKernel.PanelRows));

    public override int Units => rows.Count(domain) is not 0 and int count
        ? Cover(kernel.Rows, count < kernel.RowsForPanels ? _dotColumns : WeightKernel.PanelRows) : 0;

    public override void Run(int unit, int member)
    {
        byte* own = scratch + scratchPerMember * member;
        int count = rows.Count(domain);
        if (count >= kernel.RowsForPanels)
        {
            int first = unit * WeightKernel.PanelRows;
            kernel.Multiply(first, Math.Min(WeightKernel.PanelRows, kernel.Rows - first), x, count, own, store);
            return;
        }
        float* sums = stackalloc float[kernel.RowsForPanels * WeightKernel.PanelRows];
        int end = Math.Min((unit + 1) * _dotColumns, kernel.Rows);
        for (int begin = unit * _dotColumns; begin < end; begin += WeightKernel.PanelRows)
        {
            int columns = Math.Min(WeightKernel.PanelRows, end - begin);
            kernel.Dot(begin, columns, x, count, sums, own);
            for (int t = 0; t < count; t++) store.Row(t, begin, columns, sums + t * WeightKernel.PanelRows);
        }
    }
}
