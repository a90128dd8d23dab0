using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>Turns groups of ops into launches for batches of one row a sequence.</summary>
internal sealed class StepCompiler(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, HalfMemory halves, HostLogits? logits, Bucket bucket, LaunchList launches)
{
    /// <summary>Rows that the kernels of a step serve at once; with more the products go by tiles, and Mamba-1's scan by kernels of its own.</summary>
    public const int MostRows = 8;

    private const int SsdWarps = 8, SsdChannels = 4;

    private readonly Plan _plan = model.Plan;

    /// <summary>Whether the logits went straight to memory of the host.</summary>
    public bool WroteLogits { get; private set; }

    /// <summary>Adds a group's launch; false where the kernels cannot do it for so many rows.</summary>
    public bool TryAdd(StepGroup group)
    {
        if (group.Ssd is { } ssd) AddSsd(ssd);
        else if (group.Scan is not { } scan) return bucket.Rows <= MostRows && TryAddProduct(group);
        else if (bucket.Rows <= MostRows) AddScan(group, scan);
        else return TryAddBatchScan(group, scan);
        return true;
    }

    private bool TryAddBatchScan(StepGroup group, SelectiveScanOp scan)
    {
        var batch = new BatchScan(model, weights, arena, table, halves, bucket, launches);
        if (!batch.Takes(group, scan)) return false;
        batch.Add(group, scan);
        return true;
    }

    private bool TryAddProduct(StepGroup group)
    {
        if (ShapeOf(group, _plan, weights.FormOf, Sequences(bucket.Rows), model.Kernels) is not StepShape shape) return false;
        if (group.Linear is not { } linear || Rows(linear) == 0) return true;
        // Logits go straight to the host, if that is where they are wanted.
        HostLogits? to = linear.Output.Register == _plan.Logits?.Register ? logits : null;
        WroteLogits |= to is not null;
        var arguments = new StepArguments
        {
            Batch = table.Pointers,
            Weights = weights[linear.Weight],
            X = arena[group.Source],
            Z = group.Gate is { } gate ? arena[gate.Z] : default,
            Norm = weights.Vector(group.Norm?.Weight ?? group.Gate?.Weight),
            AddTo = linear.AddTo is Activation residual ? arena[residual] : default,
            Y = to?.Rows ?? arena[linear.Output],
            NotFinite = to?.NotFinite ?? 0,
            Bias = weights.Vector(linear.Bias),
            Scale = linear.Scale,
            Epsilon = group.Norm?.Epsilon ?? group.Gate?.Epsilon ?? 0,
        };
        if (group.Conv is { } conv)
        {
            arguments.U = arena[conv.Output];
            arguments.Taps = weights.Vector(conv.Weight);
            arguments.TapBias = weights.Vector(conv.Bias);
            arguments.Window = _plan.States.Entries[conv.Window.Index].CanonicalOffset;
        }
        KernelModule module = shape.Module(weights.FormOf(linear.Weight));
        Add(linear, module, module.Name, shape.Blocks, 1, shape.Threads, arguments, shape.SharedBytes);
        return true;
    }

    /// <summary>The modules that steps of one sequence need.</summary>
    public static IEnumerable<KernelModule> Modules(Plan plan, StepGroups groups, Func<WeightRef, WeightForm> formOf, KernelLibrary kernels)
    {
        for (int i = 0; i < plan.Ops.Length; i++)
        {
            if (groups[i] is not { } group) continue;
            if (group.Scan is { } scan) yield return ModuleOf(group, scan, formOf, 1);
            else if (group.Ssd is { } ssd) yield return ModuleOf(ssd, 1);
            else if (ShapeOf(group, plan, formOf, 1, kernels) is StepShape shape && group.Linear is { } linear) yield return shape.Module(formOf(linear.Weight));
        }
    }

    /// <summary>One sequence has kernels of its own; more share those for several.</summary>
    private static int Sequences(int rows) => rows == 1 ? 1 : MostRows;

    private static StepShape? ShapeOf(StepGroup group, Plan plan, Func<WeightRef, WeightForm> formOf, int sequences, KernelLibrary kernels)
    {
        if (group.Linear is not { } linear) return null;
        WeightForm form = formOf(linear.Weight);
        if (sequences > 1 && !form.IsHalf) return null;
        return StepShape.For(form, new KernelSizes
        {
            Columns = linear.X.Width,
            Outputs = linear.Output.Width,
            Sequences = sequences,
            Input = group.Gate is not null ? 2 : group.Norm is not null ? 1 : 0,
            Selected = group.Select is not null ? 2 : linear.X.Rows == RowDomain.Outputs ? 1 : 0,
            Taps = group.Conv?.DConv ?? 0,
            ConvFirst = group.Conv is { } conv ? conv.X.Offset - linear.Output.Offset : 0,
            ConvCount = group.Conv?.X.Width ?? 0,
        }, kernels.MultiProcessors, kernels.MostSharedBytes);
    }

    private static KernelModule ModuleOf(StepGroup group, SelectiveScanOp scan, Func<WeightRef, WeightForm> formOf, int sequences)
    {
        LinearOp linear = group.Linear!;   // a group with a scan has the product before it
        return new KernelModule($"step_scan_{formOf(linear.Weight).Kernels}", new KernelSizes
        {
            Channels = scan.U.Width,
            Rank = linear.X.Width,
            States = scan.DState,
            Normed = group.ScanNorms is null ? 0 : 1,
            Warps = ScanWarps(scan),
            Sequences = sequences,
        });
    }

    private static KernelModule ModuleOf(SsdScanOp ssd, int sequences) => new("step_ssd", new KernelSizes
    {
        Channels = ssd.X.Width,
        HeadDim = ssd.HeadDim,
        HeadsOfGroup = ssd.NHeads / ssd.NGroups,
        States = ssd.DState,
        Warps = SsdWarps,
        Sequences = sequences,
    });

    private void AddScan(StepGroup group, SelectiveScanOp scan)
    {
        LinearOp linear = group.Linear!;   // a group with a scan has the product before it
        RmsNormOp[]? norms = group.ScanNorms;
        KernelModule module = ModuleOf(group, scan, weights.FormOf, Sequences(bucket.Rows));
        Add(scan, module, module.Name, Parts(scan.U.Width, 2 * ScanWarps(scan)), bucket.Sequences, 32 * ScanWarps(scan), new StepScanArguments
        {
            Batch = table.Pointers,
            Weights = weights[linear.Weight],
            Dt = arena[norms?[0].X ?? linear.X],
            U = arena[scan.U],
            B = arena[norms?[1].X ?? scan.B],
            C = arena[norms?[2].X ?? scan.C],
            Z = arena[scan.Z],
            Y = arena[scan.Output],
            A = weights.Vector(scan.A),
            D = weights.Vector(scan.D),
            Bias = weights.Vector(scan.DtBias),
            State = _plan.States.Entries[scan.State.Index].CanonicalOffset,
            Epsilon = norms?[0].Epsilon ?? 0,
        });
    }

    private void AddSsd(SsdScanOp ssd)
    {
        string kernel = ssd.DState <= 128 ? "step_ssd_128" : "step_ssd_256";
        Add(ssd, ModuleOf(ssd, Sequences(bucket.Rows)), kernel, Parts(ssd.X.Width, SsdWarps * SsdChannels), bucket.Sequences, 32 * SsdWarps, new StepSsdArguments
        {
            Batch = table.Pointers,
            X = arena[ssd.X],
            Dt = arena[ssd.Dt],
            B = arena[ssd.B],
            C = arena[ssd.C],
            Y = arena[ssd.Output],
            A = weights.Vector(ssd.A),
            D = weights.Vector(ssd.D),
            Bias = weights.Vector(ssd.DtBias),
            State = _plan.States.Entries[ssd.State.Index].CanonicalOffset,
        });
    }

    private void Add<TArguments>(Op op, KernelModule module, string kernel, int gridX, int gridY, int threads, in TArguments arguments, int sharedBytes = 0) where TArguments : unmanaged =>
        launches.Add(op.Name, model.Kernels.Function(module, kernel, sharedBytes), gridX, gridY, threads, arguments, sharedBytes);

    private int Rows(LinearOp linear) => linear.X.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs;

    /// <summary>Blocks for every multiprocessor, but no more than that: each reads dt, B and C.</summary>
    private static int ScanWarps(SelectiveScanOp scan) => scan.U.Width < 3072 ? 8 : 16;
}
