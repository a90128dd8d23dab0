using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>The kernels of batch_scan.h: a step of Mamba-1's scan for many sequences of one row each.</summary>
internal sealed class BatchScan(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, HalfMemory halves, Bucket bucket, LaunchList launches)
{
    private const string Given = "batch_scan";

    private const int Threads = 128, Channels = 32, Together = 8, States = 16, MostRank = 256;

    /// <summary>Whether there is one for an op and a batch.</summary>
    public bool Takes(SelectiveScanOp op) => bucket.Single && bucket.Rows > StepCompiler.MostRows && op.DState == States && Offset(op) % 4 == 0;

    /// <summary>Whether there is one that makes dt itself: it is multiplied on tensor cores.</summary>
    public bool Takes(StepGroup group, SelectiveScanOp op) =>
        Takes(op) && group.Linear is { } linear && model.HasTensorCores && !model.IsExact && weights.FormOf(linear.Weight).IsHalf && linear.X.Width % 8 == 0 && linear.X.Width <= MostRank;

    /// <summary>Adds the scan alone.</summary>
    public void Add(SelectiveScanOp op) => Add(op, Given, Arguments(op));

    /// <summary>Adds the scan with the projection of dt, and the norms before it, that belong to its group.</summary>
    public void Add(StepGroup group, SelectiveScanOp op)
    {
        LinearOp linear = group.Linear!;   // as it was taken
        RmsNormOp[]? norms = group.ScanNorms;
        BatchScanArguments arguments = Arguments(op);
        arguments.Weights = weights[linear.Weight];
        arguments.Dt = arena[norms?[0].X ?? linear.X];
        arguments.B = arena[norms?[1].X ?? op.B];
        arguments.C = arena[norms?[2].X ?? op.C];
        arguments.Normed = norms is null ? 0 : 1;
        arguments.Epsilon = norms?[0].Epsilon ?? 0;
        Add(op, $"{Given}_{weights.FormOf(linear.Weight).Kernels}", arguments);
    }

    private void Add(SelectiveScanOp op, string kernel, in BatchScanArguments arguments) =>
        launches.Add(op.Name, model.Kernels.Function(kernel, kernel), Parts(op.U.Width, Channels), Parts(bucket.Sequences, Together), Threads, arguments);

    private long Offset(SelectiveScanOp op) => model.Plan.States.Entries[op.State.Index].CanonicalOffset;

    private BatchScanArguments Arguments(SelectiveScanOp op) => new()
    {
        Batch = table.Pointers,
        Dt = arena[op.Dt],
        U = arena[op.U],
        B = arena[op.B],
        C = arena[op.C],
        Z = arena[op.Z],
        Y = arena[op.Output],
        A = weights.Vector(op.A),
        D = weights.Vector(op.D),
        Bias = weights.Vector(op.DtBias),
        State = Offset(op),
        Half = halves.Rounding(op.Output, bucket.Rows),
    };
}
