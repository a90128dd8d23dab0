using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>The kernels of scan.cu and scan_segments.cu: Mamba-1's scan over the rows of sequences.</summary>
internal sealed class SelectiveScans(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, HalfMemory halves, Bucket bucket, LaunchList launches)
{
    private const int Channels = 16;

    /// <summary>Of scans by segments of time: states a channel that are held in registers, and channels and threads of a block.</summary>
    private const int MostOfSegments = 16, ChannelsOfSegments = 12, ThreadsOfSegments = 32 * ChannelsOfSegments;

    /// <summary>Adds a scan.</summary>
    public void Add(SelectiveScanOp op)
    {
        ScanArguments arguments = Arguments(op);
        bool haveRoom = Parts(op.U.Width, ChannelsOfSegments) * bucket.Sequences <= model.Kernels.MultiProcessors;   // all blocks at once
        if (op.DState <= MostOfSegments && haveRoom)
        {
            Add(op, "scan_segments", "scan_segments_12", ChannelsOfSegments, ThreadsOfSegments, arguments);
            return;
        }
        (int most, int threads) = op.DState switch { <= 16 => (16, 128), <= 32 => (32, 128), <= 128 => (128, 128), _ => (PlanKernels.MostScanStates, 256) };
        Add(op, "scan", $"selective_scan_{most}", Channels, threads, arguments);
    }

    /// <summary>The modules for an op.</summary>
    public static IEnumerable<string> Modules(SelectiveScanOp op) => op.DState <= MostOfSegments ? ["scan", "scan_segments"] : ["scan"];

    private void Add(SelectiveScanOp op, string module, string kernel, int channels, int threads, in ScanArguments arguments) =>
        launches.Add(op.Name, model.Kernels.Function(module, kernel), Parts(op.U.Width, channels), bucket.Sequences, threads, arguments);

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
