using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>Rows, sequences and outputs that a list of launches serves at most, and whether each sequence has one row.</summary>
internal readonly record struct Bucket(int Rows, int Sequences, int Outputs, bool Single);

/// <summary>Turns the ops of a plan into launches for a bucket. What a batch holds is read on the device; a bucket only bounds it.</summary>
internal sealed class CudaCompiler(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, RoundedMemory rounded, HalfMemory halves, HostLogits? logits, SsdChunks ssdChunks, Bucket bucket) : IScanContract
{
    private const int TokenRows = 0, OutputRows = 1;

    /// <summary>Rows that are multiplied directly, each weight read for four of them at a time; more go by tiles.</summary>
    private const int MostDirect = 16;

    /// <summary>Rows up to which kernels are launched before the one before them has ended. Beyond, blocks that only wait take more from those that work than a launch costs.</summary>
    private const int MostEarly = 256;

    private readonly Plan _plan = model.Plan;

    private DeviceSlots Slots => model.Slots!;   // there until the model is disposed, and its executables before
    private Activation? _rounded;
    private TensorProducts? _products;

    private TensorProducts Products => _products ??= new TensorProducts(model, weights, arena, table, halves, Launches);

    /// <summary>Whether the first kernel brings the batch table, for the rows of the bucket.</summary>
    public bool BringsTable { get; init; }

    /// <summary>Whether the logits went straight to memory of the host.</summary>
    public bool WroteLogits { get; private set; }

    /// <summary>Which of the two runs that may be in flight the launches are for.</summary>
    public int Turn { get; init; }

    /// <summary>The launches so far.</summary>
    public LaunchList Launches { get; } = new(model.Kernels.WaitsForItself && bucket.Rows <= MostEarly);

    public void Embed(EmbedOp op)
    {
        string form = weights.FormOf(op.Table).Kernels;
        Add(op, "embed", $"embed_{form}", bucket.Rows, 1, 128, new EmbedArguments
        {
            Batch = table.Pointers,
            Table = weights[op.Table],
            Y = arena[op.Output],
            Picks = table.Picks,
            Last = Slots.LastPickAt,
            Scratch = Slots.Address(0),
            Single = bucket.Single ? 1 : 0,
            From = table.Host(Turn),
            To = table.Pointers.Counts,
            Parts = BringsTable ? table.Parts(bucket.Rows) : 0,
            Scale = op.Scale,
        });
    }

    /// <summary>Picks tokens, when all ops are done.</summary>
    public void Pick(PickLists lists, HostPicked results)
    {
        var logits = new MatrixPointer { Data = arena.Logits, Stride = _plan.VocabularySize, Width = _plan.VocabularySize };
        lists.AddPick(Launches, model.Kernels, table, bucket.Sequences, logits, Slots, results, Turn);
    }

    public void RmsNorm(RmsNormOp op) => Norm(op, "rms_norm", new NormArguments
    {
        X = arena[op.X],
        Weight = weights.Vector(op.Weight),
        Epsilon = op.Epsilon,
        Rows = Domain(op.X),
        Groups = 1,
    });

    public void GatedRmsNorm(GatedRmsNormOp op) => Norm(op, "gated_rms_norm", new NormArguments
    {
        X = arena[op.X],
        Z = arena[op.Z],
        Weight = weights.Vector(op.Weight),
        Epsilon = op.Epsilon,
        Rows = Domain(op.X),
        Groups = op.NGroups,
    });

    private void Norm(Op op, string kernel, NormArguments arguments)
    {
        const int MostThreads = 256, ColumnsOfThread = 4 * 5;
        arguments.Batch = table.Pointers;
        arguments.Y = arena[op.Output];
        arguments.Half = halves.Rounding(op.Output, Rows(op.Output));
        int width = op.Output.Width / arguments.Groups;
        bool wide = width % 4 == 0 && width <= MostThreads * ColumnsOfThread && arguments.X.IsWide && arguments.Y.IsWide && (arguments.Z.Data == 0 || arguments.Z.IsWide);
        int threads = MostThreads;
        if (wide && arguments.Groups == 1) arguments.Parts = Products.Parted(op, Rows(op.Output));
        while (wide && threads > 64 && width <= threads / 2 * ColumnsOfThread) threads /= 2;
        Add(op, "norm", wide ? kernel + "_wide" : kernel, Rows(op.Output), arguments.Groups, threads, arguments);
        if (arguments.Parts.To.Data != 0) Products.Hold(op.Output, arguments.Parts.Count);
    }

    public void CausalConv(CausalConvOp op)
    {
        const int Threads = 128, RowsOfBlock = 16, FourTaps = 4, WholeWarps = 128;
        MatrixPointer x = arena[op.X], y = arena[op.Output];
        var arguments = new ConvArguments
        {
            Batch = table.Pointers,
            X = x,
            Y = y,
            Weight = weights.Vector(op.Weight),
            Bias = weights.Vector(op.Bias),
            Window = _plan.States.Entries[op.Window.Index].CanonicalOffset,
            Taps = op.DConv,
        };
        int blocks = Parts(op.X.Width, Threads), rowBlocks = Parts(bucket.Rows, RowsOfBlock);
        arguments.Half = halves.Rounding(op.Output, bucket.Rows);
        if (bucket.Single)
        {
            bool wide = op.DConv == FourTaps && op.X.Width % WholeWarps == 0 && arguments.Window % 4 == 0 && x.IsWide && y.IsWide;
            Add(op, "conv", wide ? "conv_step_4" : "conv_step", wide ? Parts(op.X.Width, 4 * Threads) : blocks, bucket.Sequences, Threads, arguments);
            return;
        }
        if (op.DConv != FourTaps)
        {
            Add(op, "conv", "conv_rows", blocks, rowBlocks, Threads, arguments);
            Add(op, "conv", "conv_window", blocks, bucket.Sequences, Threads, arguments);
        }
        else if (op.X.Width % WholeWarps == 0 && x.IsWide && y.IsWide) Add(op, "conv", "conv_rows_4", Parts(op.X.Width, 4 * Threads), rowBlocks, Threads, arguments);
        else Add(op, "conv", "conv_rows_1", blocks, rowBlocks, Threads, arguments);
    }

    public void SelectiveScan(SelectiveScanOp op)
    {
        var batch = new BatchScan(model, weights, arena, table, halves, bucket, Launches);
        if (batch.Takes(op))
        {
            batch.Add(op);
            Wrote(op);
            return;
        }
        SelectiveScans.Add(op);
        Wrote(op);
    }

    private SelectiveScans SelectiveScans => new(model, weights, arena, table, halves, bucket, Launches);

    public void SsdScan(SsdScanOp op)
    {
        SsdScans.Add(op);
        Wrote(op);
    }

    /// <summary>Adds the launches of a convolution and the scan after it, where the scan takes both.</summary>
    public bool TryAddConvolvedScan(int first)
    {
        if (bucket.Single || _plan.Ops[first] is not CausalConvOp conv || first + 1 >= _plan.Ops.Length || _plan.Ops[first + 1] is not SsdScanOp scan || !SsdScans.TryAdd(conv, first, scan)) return false;
        Wrote(scan);
        return true;
    }

    /// <summary>Adds the launches of a group whose product goes with its convolution in one kernel.</summary>
    public bool TryAddBatchStep(StepGroup group)
    {
        var step = new BatchStep(model, weights, arena, table, halves, bucket, Launches);
        if (!step.Takes(group)) return false;
        group.Norm?.Accept(this);
        group.Gate?.Accept(this);
        step.Add(group);
        if (group.Linear is { } linear) Wrote(linear);
        if (group.Conv is { } conv) Wrote(conv);
        return true;
    }

    private SsdScans SsdScans => new(model, weights, arena, table, ssdChunks, bucket, Launches);

    public void SelectOutputs(SelectOutputsOp op) =>
        Add(op, "select", "select_outputs", bucket.Outputs, 1, 256, new SelectArguments { Batch = table.Pointers, X = arena[op.X], Y = arena[op.Output] });

    public void Linear(LinearOp op)
    {
        WeightForm form = weights.FormOf(op.Weight);
        int rows = Rows(op.X);
        MatrixPointer y = arena[op.Output], addTo = op.AddTo is Activation residual ? arena[residual] : default;
        var arguments = new LinearArguments
        {
            Batch = table.Pointers,
            Weights = weights[op.Weight],
            X = arena[op.X],
            AddTo = addTo,
            Y = y,
            Bias = weights.Vector(op.Bias),
            Scale = op.Scale,
            Rows = Domain(op.X),
            Pairs = IsPaired(y) && IsPaired(addTo) ? 1 : 0,
        };
        if (Products.Takes(op, form, rows))
        {
            arguments.Half = halves.Rounding(op.Output, rows);
            // Logits go straight to the host, where they are wanted there.
            HostLogits? to = op.Output.Register == _plan.Logits?.Register && rows <= TensorTile.MostNarrow && !HalfParts.For(form, model.IsExact).AreSeveral ? logits : null;
            if (to is not null) arguments.Y = to.Rows;
            WroteLogits |= to is not null;
            Products.Multiply(op, form, arguments, rows, to?.NotFinite ?? 0);
            Wrote(op);
        }
        else if (rows > MostDirect) MultiplyTiles(op, form, arguments);
        else MultiplyDirectly(op, form, arguments);
    }

    private void MultiplyDirectly(LinearOp op, WeightForm form, LinearArguments arguments)
    {
        const int Threads = 128, Warps = Threads / 32;
        int rows = Rows(op.X), most = rows == 1 ? 1 : 4;
        if (form.IsQuantized) arguments.Rounded = Rounded(op);
        string kernel = IsWide(form, arguments) ? $"matvec_{form.Kernels}_wide_{most}" : $"matvec_{form.Kernels}_{most}";
        Add(op, form.IsQuantized ? PlanKernels.QuantizedModule(form) : "matvec_floats", kernel, Parts(op.Output.Width, Warps), Parts(rows, most), Threads, arguments);
    }

    private void MultiplyTiles(LinearOp op, WeightForm form, LinearArguments arguments)
    {
        const int Side = 64;
        if (form.IsQuantized) arguments.Rounded = Rounded(op);
        string module = form.IsQuantized ? PlanKernels.QuantizedModule(form) : "matmul_floats";
        Add(op, module, $"matmul_{form.Kernels}", Parts(op.Output.Width, Side), Parts(Rows(op.X), Side), 256, arguments);
    }

    private static bool IsPaired(MatrixPointer m) => m.Data % 8 == 0 && m.Stride % 2 == 0;

    /// <summary>Whether weights and activations can be read sixteen bytes at a time.</summary>
    private static bool IsWide(WeightForm form, in LinearArguments a) => form.IsHalf && a.Weights.Stride % 16 == 0 && a.X.IsWide;

    /// <summary>The op's input in 8 bits; rounded anew unless the last rounding was of the same value.</summary>
    private RoundedPointer Rounded(LinearOp op)
    {
        const int Threads = 128, Warps = Threads / 32;
        int blocks = op.X.Width / RoundedMemory.Block;
        RoundedPointer to = rounded.Rows(blocks);
        if (_rounded != op.X)
            Launches.Add(op.Name, model.Kernels.Function("quantize", "quantize"), Parts(blocks, Warps), Rows(op.X), Threads,
                new QuantizeArguments { Batch = table.Pointers, X = arena[op.X], Y = to, Rows = Domain(op.X) });
        _rounded = op.X;
        return to;
    }

    private void Add<TArguments>(Op op, string module, string kernel, long gridX, long gridY, int threads, in TArguments arguments, int sharedBytes = 0) where TArguments : unmanaged
    {
        Launches.Add(op.Name, model.Kernels.Function(module, kernel, sharedBytes), gridX, gridY, threads, arguments, sharedBytes);
        Wrote(op);
    }

    /// <summary>What an op writes over is no longer what was rounded or split; a value's memory may serve another register too.</summary>
    public void Wrote(Op op)
    {
        _products?.Wrote(op);
        if (op is not LinearOp || op.Output.Register == _rounded?.Register) _rounded = null;
    }

    private int Rows(Activation a) => a.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs;

    private static int Domain(Activation a) => a.Rows == RowDomain.Tokens ? TokenRows : OutputRows;
}
