using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>How a product of batch_step.h is shared out among blocks, of which a multiprocessor has one at a time.</summary>
/// <param name="Rows">Rows of x at most.</param>
/// <param name="Blocks">Blocks of outputs.</param>
/// <param name="Splits">Blocks that share the columns.</param>
/// <param name="Groups">Groups of columns of a block.</param>
internal readonly record struct BatchStepShape(int Rows, int Blocks, int Splits, int Groups)
{
    /// <summary>Rows of the products that they are quicker for, outputs and threads of a block.</summary>
    public const int LeastRows = 16, MostRows = 32, Outputs = 64, Threads = 512;

    private const int LeastGroups = 2, MostGroups = 8, Columns = 512, Pieces = 4, Padding = 32;

    /// <summary>
    /// The share of the device's multiprocessors, and of what they could multiply, from which these kernels are quicker than narrow tiles with a convolution behind.
    /// Measured on an H200: in_proj and out_proj of mamba-1.4b fill 97 %, and 16 and 32 sequences take 8 and 7 % less; such tiles of 80 outputs for mamba-2.8b filled 92 and 81 %, and took 5 to 8 % more.
    /// </summary>
    private const double LeastBusy = 0.95;

    /// <summary>Shared memory of a block: its columns of x, later the sums of its warps; windows, taps and their bias.</summary>
    public int SharedBytes(bool convolves) =>
        Math.Max(Groups * Rows * (Columns + Padding) * sizeof(ushort), Pieces * Rows * (Outputs + 4) * sizeof(float)) + (convolves ? (3 * Rows + 4 + 1) * Outputs * sizeof(float) : 0);

    /// <summary>One round of blocks that leaves little of the device idle; null where there is none, and narrow tiles serve.</summary>
    /// <param name="rows">Rows at most.</param>
    /// <param name="outputs">Of the product.</param>
    /// <param name="depth">Its inner dimension.</param>
    /// <param name="multiProcessors">Of the device.</param>
    /// <param name="mostShared">Shared memory of a block.</param>
    public static BatchStepShape? For(int rows, int outputs, int depth, int multiProcessors, int mostShared)
    {
        if (rows is < LeastRows or > MostRows) return null;
        int blocks = Parts(outputs, Outputs), all = Parts(depth, Columns), groups = Math.Max(LeastGroups, Parts(all, Math.Clamp(multiProcessors / blocks, 1, all)));
        var shape = new BatchStepShape(rows <= MostRows / 2 ? MostRows / 2 : MostRows, blocks, Parts(all, groups), groups);
        double busy = (double)outputs * depth / ((double)multiProcessors * Outputs * groups * Columns);
        return busy >= LeastBusy && groups <= MostGroups && shape.SharedBytes(convolves: true) <= mostShared && blocks * shape.Splits <= multiProcessors ? shape : null;
    }
}
