using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>The kernels of scan.cu and scan_roles.cu: Mamba-1's scan over the rows of sequences.</summary>
internal sealed class SelectiveScans(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, HalfMemory halves, Bucket bucket, LaunchList launches)
{
    /// <summary>Channels of a block where a channel has many states.</summary>
    private const int Channels = 16;

    /// <summary>Adds a scan.</summary>
    public void Add(SelectiveScanOp op)
    {
        if (op.DState <= ScanRoles.MostStates)
        {
            ScanArguments arguments = Arguments(op);
            ScanRoles roles = ScanRoles.For(op.U.Width, bucket.Sequences, arguments.Wide != 0, model.Kernels.MultiProcessors, model.Kernels.MostSharedBytes);
            Add(op, "scan_roles", roles.Kernel, roles.Channels, roles.Threads, roles.SharedBytes, arguments);
            return;
        }
        (int most, int threads) = op.DState switch { <= 32 => (32, 128), <= 128 => (128, 128), _ => (PlanKernels.MostScanStates, 256) };
        Add(op, "scan", $"selective_scan_{most}", Channels, threads, 0, Arguments(op));
    }

    /// <summary>The module for an op.</summary>
    public static string Module(SelectiveScanOp op) => op.DState <= ScanRoles.MostStates ? "scan_roles" : "scan";

    private void Add(SelectiveScanOp op, string module, string kernel, int channels, int threads, int sharedBytes, in ScanArguments arguments) =>
        launches.Add(op.Name, model.Kernels.Function(module, kernel, sharedBytes), Parts(op.U.Width, channels), bucket.Sequences, threads, arguments, sharedBytes);

    private ScanArguments Arguments(SelectiveScanOp op)
    {
        MatrixPointer u = arena[op.U], dt = arena[op.Dt], b = arena[op.B], c = arena[op.C], z = arena[op.Z], y = arena[op.Output];
        return new ScanArguments
        {
            Batch = table.Pointers,
            U = u,
            Dt = dt,
            B = b,
            C = c,
            Z = z,
            Y = y,
            A = weights.Vector(op.A),
            D = weights.Vector(op.D),
            Bias = weights.Vector(op.DtBias),
            State = model.Plan.States.Entries[op.State.Index].CanonicalOffset,
            States = op.DState,
            Wide = op.U.Width % 4 == 0 && op.DState % 4 == 0 && u.IsWide && dt.IsWide && b.IsWide && c.IsWide && z.IsWide && y.IsWide ? 1 : 0,
            Half = halves.Rounding(op.Output, bucket.Rows),
        };
    }
}
