using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>The kernels of ssd.cu and ssd_chunks.h: Mamba-2's scan over the rows of sequences, where there are many with the convolution before it.</summary>
internal sealed class SsdScans(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, SsdChunks chunks, Bucket bucket, LaunchList launches)
{
    private const int Taps = 4;

    /// <summary>Adds the scan alone.</summary>
    public void Add(SsdScanOp op)
    {
        SsdArguments arguments = Arguments(op, arena[op.X], arena[op.B], arena[op.C]);
        if (chunks.Takes(op, model.Kernels, bucket)) ByChunks(op, new SsdChunkArguments { Scan = arguments });
        else ByRows(op, arguments);
    }

    /// <summary>Adds the scan with the convolution before it, where nothing else reads what that yields and it has memory of its own to read from.</summary>
    /// <returns>Whether it did.</returns>
    public bool TryAdd(CausalConvOp conv, int index, SsdScanOp op)
    {
        Plan plan = model.Plan;
        RegisterSpec between = plan.Registers[conv.Output.Register];
        if (conv.DConv != Taps || between.Last != index + 1 || plan.Registers[conv.X.Register].Last <= index + 1 || !chunks.Takes(op, model.Kernels, bucket)) return false;
        Activation[] read = [op.X, op.B, op.C];
        if (read.Any(a => a.Register != conv.Output.Register) || op.Dt.Register == conv.Output.Register) return false;
        SsdArguments arguments = Arguments(op, Before(op.X), Before(op.B), Before(op.C));
        if (arguments.Wide == 0 || read.Any(a => (a.Offset - conv.Output.Offset) % 4 != 0)) return false;
        ByChunks(op, new SsdChunkArguments { Scan = arguments, TapsOfX = TapsOf(op.X), TapsOfB = TapsOf(op.B), TapsOfC = TapsOf(op.C) });
        return true;

        MatrixPointer Before(Activation a) => arena[conv.X.Columns(a.Offset - conv.Output.Offset, a.Width)];

        TapsPointer TapsOf(Activation a)
        {
            int column = a.Offset - conv.Output.Offset;
            ulong bias = weights.Vector(conv.Bias);
            return new TapsPointer
            {
                Weight = weights.Vector(conv.Weight) + (ulong)column * Taps * sizeof(float),
                Bias = bias == 0 ? 0 : bias + (ulong)column * sizeof(float),
                Window = plan.States.Entries[conv.Window.Index].CanonicalOffset + (long)column * (Taps - 1),
            };
        }
    }

    private SsdArguments Arguments(SsdScanOp op, MatrixPointer x, MatrixPointer b, MatrixPointer c)
    {
        MatrixPointer y = arena[op.Output];
        return new SsdArguments
        {
            Batch = table.Pointers,
            X = x,
            Dt = arena[op.Dt],
            B = b,
            C = c,
            Y = y,
            A = weights.Vector(op.A),
            D = weights.Vector(op.D),
            Bias = weights.Vector(op.DtBias),
            State = model.Plan.States.Entries[op.State.Index].CanonicalOffset,
            Heads = op.NHeads,
            HeadDim = op.HeadDim,
            Groups = op.NGroups,
            States = op.DState,
            Wide = b.IsWide && c.IsWide && op.DState % 4 == 0 && x.IsWide && y.IsWide && op.HeadDim % 4 == 0 ? 1 : 0,
        };
    }

    private void ByChunks(SsdScanOp op, SsdChunkArguments arguments)
    {
        int most = Parts(bucket.Rows, SsdChunks.Rows), pairs = most * SsdChunks.PairsOfChunk * op.NGroups, times = Parts(most * op.NHeads, SsdChunks.TimesOfBlock);
        string module = SsdChunks.Module(chunks.IsExact);
        (arguments.Parts, arguments.Pairs, arguments.Back, arguments.Times) = (chunks.PartsAddress, chunks.PairsAddress, chunks.BackAddress, chunks.TimesAddress);
        (arguments.PairBlocks, arguments.Rows) = (pairs, chunks.Tokens);
        Add(op, module, chunks.Kernel("pairs", op), pairs + times, SsdChunks.PairThreads, arguments);
        Add(op, module, chunks.Kernel("chunks", op), (long)op.NHeads * Parts(op.HeadDim, SsdChunks.Channels), SsdChunks.Threads, arguments, SsdChunks.SharedBytes(op));
    }

    private void ByRows(SsdScanOp op, in SsdArguments arguments)
    {
        const int Threads = 256, Channels = 32, SumsOfChannel = 4;
        int most = op.DState <= 64 ? 64 : op.DState <= 128 ? 128 : PlanKernels.MostSsdStates;
        int tile = most == PlanKernels.MostSsdStates ? 8 : 16, bytesOfTile = (tile * (2 * most + Channels + SumsOfChannel * Channels + 1) * sizeof(float) + sizeof(float) + 15) / 16 * 16;
        Add(op, "ssd", $"ssd_scan_{most}", (long)op.NHeads * Parts(op.HeadDim, Channels), Threads, arguments, 2 * bytesOfTile);
    }

    private void Add<TArguments>(SsdScanOp op, string module, string kernel, long blocks, int threads, in TArguments arguments, int sharedBytes = 0) where TArguments : unmanaged =>
        launches.Add(op.Name, model.Kernels.Function(module, kernel, sharedBytes), blocks, bucket.Sequences, threads, arguments, sharedBytes);
}
