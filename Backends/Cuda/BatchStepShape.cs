using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>How a product of batch_step.h is shared out among blocks, of which a multiprocessor has one at a time, or one of batch_boxes.h, of which it has one or two.</summary>
/// <param name="Rows">Rows of x at most.</param>
/// <param name="Blocks">Blocks of outputs.</param>
/// <param name="Splits">Blocks that share the columns.</param>
/// <param name="Groups">Groups of columns of a block; 0 where boxes of them are copied.</param>
/// <param name="Stages">Boxes on their way, where they are copied.</param>
internal readonly record struct BatchStepShape(int Rows, int Blocks, int Splits, int Groups, int Stages = 0)
{
    /// <summary>Rows of the products that they are quicker for, and outputs of a block.</summary>
    public const int LeastRows = 16, MostRows = 32, Outputs = 64;

    private const int BoxColumns = 64, LeastBoxes = 4, BoxAlignment = 1024;

    /// <summary>Boxes on their way: with 5, 7, 10 and 16 32 sequences of mamba-1.4b go at 14,851, 15,760, 16,484 and 16,335 tokens/s, of mamba-2.8b at 8,572, 8,787, 8,721 and 8,344.</summary>
    private const int MostStages = 10;

    /// <summary>Blocks by boxes are quicker than narrow tiles where there are half as many as multiprocessors: x_proj of mamba-1.4b, 48 of them, takes 12.2 µs beside 9.0.</summary>
    private const double LeastBlocks = 0.5;

    private const int LeastGroups = 2, MostGroups = 8, Columns = 512, Pieces = 4, Padding = 32;

    /// <summary>
    /// The share of the device's multiprocessors, and of what they could multiply, from which these kernels are quicker than narrow tiles with a convolution behind.
    /// Measured on an H200: in_proj and out_proj of mamba-1.4b fill 97 %, and 16 and 32 sequences take 8 and 7 % less; such tiles of 80 outputs for mamba-2.8b filled 92 and 81 %, and took 5 to 8 % more.
    /// </summary>
    private const double LeastBusy = 0.95;

    /// <summary>Whether boxes of the weights and of x are copied to where they are multiplied.</summary>
    public bool IsByBoxes => Groups == 0;

    /// <summary>Threads of a block.</summary>
    public int Threads => IsByBoxes ? 160 : 512;

    /// <summary>Shared memory of a block: its columns of x, or boxes of them and of the weights; later the sums of its warps; windows, taps and their bias.</summary>
    public int SharedBytes(bool convolves) =>
        (IsByBoxes ? BoxAlignment + Stages * StageBytes : Math.Max(Groups * Rows * (Columns + Padding) * sizeof(ushort), Pieces * Rows * (Outputs + 4) * sizeof(float)))
        + (convolves ? (3 * Rows + 4 + 1) * Outputs * sizeof(float) : 0);

    /// <summary>Blocks by boxes, two a multiprocessor where outputs ask for more blocks than it has; null where that leaves most of the device idle, and narrow tiles serve.</summary>
    /// <param name="rows">Rows at most.</param>
    /// <param name="outputs">Of the product.</param>
    /// <param name="depth">Its inner dimension.</param>
    /// <param name="multiProcessors">Of the device.</param>
    /// <param name="mostShared">Shared memory of a block.</param>
    public static BatchStepShape? ByBoxes(int rows, int outputs, int depth, int multiProcessors, int mostShared)
    {
        if (rows is < LeastRows or > MostRows) return null;
        int blocks = Parts(outputs, Outputs), boxes = Parts(depth, BoxColumns), share = Parts(boxes, Math.Clamp(multiProcessors / blocks, 1, Math.Max(boxes / LeastBoxes, 1)));
        var shape = new BatchStepShape(RowsOf(rows), blocks, Parts(boxes, share), Groups: 0);
        int beside = shape.Blocks * shape.Splits <= multiProcessors ? 1 : 2, room = mostShared / beside - shape.SharedBytes(convolves: true), stages = room / shape.StageBytes;
        return shape.Blocks * shape.Splits >= LeastBlocks * multiProcessors ? shape with { Stages = Math.Min(stages, MostStages) } : null;
    }

    private int StageBytes => (Rows + Outputs) * BoxColumns * sizeof(ushort);

    private static int RowsOf(int rows) => rows <= MostRows / 2 ? MostRows / 2 : MostRows;

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
        var shape = new BatchStepShape(RowsOf(rows), blocks, Parts(all, groups), groups);
        double busy = (double)outputs * depth / ((double)multiProcessors * Outputs * groups * Columns);
        return busy >= LeastBusy && groups <= MostGroups && shape.SharedBytes(convolves: true) <= mostShared && blocks * shape.Splits <= multiProcessors ? shape : null;
    }
}
