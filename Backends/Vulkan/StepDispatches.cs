namespace MambaRT.Backends.Vulkan;

/// <summary>Products of few rows, with what a step of decode does beside them, and scans of one row a sequence.</summary>
internal sealed class StepDispatches(VulkanDevice device, DeviceWeights weights, DeviceSlots slots, ArenaMemory arena, DispatchList list, Bucket bucket)
{
    /// <summary>Rows up to which each row of the weights is read once for a few rows of x; more go by tiles.</summary>
    public const int MostRows = 16;

    /// <summary>States that a thread has at most where as many threads as a subgroup allows share a channel.</summary>
    private const int ScanThreads = 128, MostLanes = 32, LanesOfChannel = 16, StatesOfThread = 16;

    /// <summary>What these shaders do together.</summary>
    public static StepGroups Groups(Plan plan) => new(plan, ArenaMemory.LayoutOf(plan), new StepLimits
    {
        CanMultiply = _ => true,
        CanScan = _ => false,   // it has no neighbours
        MostTaps = 4,
        MostRank = int.MaxValue,
        MostStates = int.MaxValue,
        NormsScans = false,
    });

    /// <summary>Whether what goes before a group's product is done in its shader: for one row, and no gate where each thread reads all of x by itself.</summary>
    public bool Takes(StepGroup group) =>
        group.Scan is not null || (bucket.Rows == 1 && !(device.UsesTexels && group.Gate is not null)) || (group.Norm is null && group.Gate is null && group.Select is null);

    /// <summary>Adds what a group does.</summary>
    public void Add(StepGroup group)
    {
        if (group.Linear is not { } linear) return;
        if (group.Scan is { } scan) Scan(scan, linear);
        else Multiply(group, linear);
    }

    /// <summary>Adds a product that has no neighbours.</summary>
    public void Multiply(LinearOp linear) => Multiply(new StepGroup(1) { Linear = linear }, linear);

    /// <summary>Adds a step of Mamba-1's scan, with dt's projection where that is given.</summary>
    public void Scan(SelectiveScanOp op, LinearOp? projection = null)
    {
        RowsPlace u = arena[op.U], dt = arena[projection?.X ?? op.Dt], b = arena[op.B], c = arena[op.C], z = arena[op.Z], y = arena[op.Output];
        Scan(op, op.DState, op.U.Width, ssd: false, isGated: true, projection, dt,
            new StepPush { U = u.Pushed, Dt = dt.Pushed, B = b.Pushed, C = c.Pushed, Z = z.Pushed, To = y.Pushed, Channels = (uint)op.U.Width, HeadDim = 1, HeadsOfGroup = 1 },
            [new(4, u.Memory), new(5, b.Memory), new(6, c.Memory), new(7, z.Memory), new(8, weights.Vector(op.A)), new(9, weights.Vector(op.D)), new(10, weights.Vector(op.DtBias)),
                new(11, slots[op.State], BufferAccess.Reads | BufferAccess.Writes), new(12, y.Memory, BufferAccess.Writes)]);
    }

    /// <summary>
    /// Of a group that gates what a scan of Mamba-2 in front of it yields, and nothing else reads, the same without the gate: the scan has it then, once and not in each of the product's
    /// workgroups. Null where it is no such group.
    /// </summary>
    public StepGroup? WithoutGate(Plan plan, SsdScanOp scan, StepGroup? group)
    {
        if (bucket is not { Single: true, Rows: 1 } || group?.Gate is not { } gate || !Takes(group) || gate.X != scan.Output || plan.Registers[gate.X.Register].Last >= plan.Ops.Length) return null;
        foreach (Op op in plan.Ops)
            foreach (Activation input in op.Inputs)
                if (op != gate && input.Register == gate.X.Register) return null;
        return group with { Gate = null, Norm = new RmsNormOp { Name = gate.Name, Output = gate.Output, X = gate.X, Weight = gate.Weight, Epsilon = gate.Epsilon } };
    }

    /// <summary>Adds a step of Mamba-2's scan, with a gate of its results where that is given.</summary>
    public void Scan(SsdScanOp op, Activation? gate = null)
    {
        RowsPlace z = arena[gate ?? op.X], x = arena[op.X], dt = arena[op.Dt], b = arena[op.B], c = arena[op.C], y = arena[op.Output];
        Scan(op, op.DState, op.X.Width, ssd: true, gate is not null, null, dt,
            new StepPush { U = x.Pushed, Dt = dt.Pushed, B = b.Pushed, C = c.Pushed, Z = z.Pushed, To = y.Pushed, Channels = (uint)op.X.Width, HeadDim = (uint)op.HeadDim, HeadsOfGroup = (uint)(op.NHeads / op.NGroups) },
            [new(4, x.Memory), new(5, b.Memory), new(6, c.Memory), new(7, z.Memory), new(8, weights.Vector(op.A)), new(9, weights.Vector(op.D)), new(10, weights.Vector(op.DtBias)),
                new(11, slots[op.State], BufferAccess.Reads | BufferAccess.Writes), new(12, y.Memory, BufferAccess.Writes)]);
    }

    private void Scan(Op op, int states, int channels, bool ssd, bool isGated, LinearOp? projection, RowsPlace dt, in StepPush push, ReadOnlySpan<BufferBinding> bindings)
    {
        int lanes = 1, most = Math.Min(device.UsesSubgroups ? device.Traits.SubgroupSize : MostLanes, ssd ? MostLanes : LanesOfChannel);
        int ofThread = device.UsesTexels ? StatesOfThread : 1;   // whose loads are not shared, there
        while (lanes < most && lanes * ofThread < states) lanes *= 2;
        WeightPlace place = projection is null ? default : weights[projection.Weight];
        uint rank = projection is null ? 0u : (uint)projection.X.Width, wide = projection is not null && projection.X.Width % 4 == 0 && dt.IsWide ? 1u : 0;
        list.Add(op, new ShaderKey(device.UsesTexels ? "step.subgroups.texels" : Named("step"), FormNumber.Of(place.Form), place.IsWide, ssd ? 1u : 0, (uint)states, (uint)lanes, rank, wide, bucket.Rows == 1 ? 1u : 0, isGated ? 1u : 0),
            DispatchList.Parts(channels, ScanThreads / lanes), bucket.Sequences, push with { Weights = place.Pushed(0, place.Rows) },
            [.. Read(place.Data, place.Scales, dt, null), .. bindings, .. device.UsesTexels ? AsTexels(bindings) : []]);
    }

    /// <summary>What a step reads as texels, too: B, C, A and the states.</summary>
    private static List<BufferBinding> AsTexels(ReadOnlySpan<BufferBinding> bindings)
    {
        var texels = new List<BufferBinding>();
        foreach (BufferBinding binding in bindings)
            if (binding.Number switch { 5 => BufferBinding.B, 6 => BufferBinding.C, 8 => BufferBinding.A, 11 => BufferBinding.State, _ => 0u } is > 0 and var number) texels.Add(new BufferBinding(number, binding.Memory));
        return texels;
    }

    private void Multiply(StepGroup group, LinearOp op)
    {
        Activation source = group.Source;
        WeightPlace place = weights[op.Weight];
        RowsPlace x = arena[source], y = arena[op.Output], z = group.Gate is { } gated ? arena[gated.Z] : default;
        RowsPlace residual = op.AddTo is Activation a ? arena[a] : default, u = group.Conv is { } made ? arena[made.Output] : default;
        bool wide = x.IsWide && source.Width % 4 == 0 && (group.Gate is null || z.IsWide);
        int rows = op.X.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs;
        if (rows == 0) return;
        bool rounds = device.UsesDots && place.Form.IsQuantized;
        var shape = device.UsesTexels ? ProductShape.OfTexels(place, place.IsWide != 0, rows, device.Traits.SubgroupSize)
            : ProductShape.For(place, place.IsWide != 0, rows, device.UsesSubgroups ? device.Traits.SubgroupSize : 1, device.Traits.SharedBytes, rounds, device.NarrowRows, device.HasShortShaders);
        uint input = group.Gate is not null ? 2u : group.Norm is not null ? 1u : 0;
        string name = device.UsesTexels ? "texels" : rounds ? "linear.subgroups.dot" : Named("linear");
        var shader = new ShaderKey(name, FormNumber.Of(place.Form), place.IsWide, (uint)place.Columns, (uint)shape.Tokens, (uint)shape.Rows, (uint)shape.Lanes, (uint)shape.Depth,
            (uint)shape.Chunk, input, (uint)(group.Conv?.DConv ?? 0), wide ? 1u : 0, (uint)shape.Threads, (uint)shape.Addends, (uint)shape.Unit, bucket.Rows == 1 ? 1u : 0, (uint)shape.Ahead);
        BufferSlice window = group.Conv is { } kept ? slots[kept.Window] : default;
        BufferBinding[] bindings =
        [
            new(4, group.Conv is { } biased ? list.Vector(weights, biased.Bias) : list.OrTable(residual.Memory)), new(5, list.Vector(weights, op.Bias)),
            new(6, y.Memory, BufferAccess.Writes), new(7, list.Vector(weights, group.Norm?.Weight ?? group.Gate?.Weight)), new(8, list.OrTable(z.Memory)),
            new(9, list.Vector(weights, group.Conv?.Weight)), window.Bytes > 0 ? new(10, window, BufferAccess.Reads | BufferAccess.Writes) : new(10, y.Memory, BufferAccess.Writes),   // as validation layers take it
            group.Conv is null ? new(11, y.Memory, BufferAccess.Writes) : new(11, u.Memory, BufferAccess.Writes),
        ];
        foreach (var part in place.Parts(device, Math.Min((long)device.Traits.MostGroups * shape.RowsOfGroup, Workload.MostRows(rows, place.Columns, device.MostWork))))
            list.Add(op, shader, device.UsesTexels ? DispatchList.Parts(part.Count, shape.RowsOfGroup) : shape.Groups(part.Count, place.Columns, device.Multiprocessors), DispatchList.Parts(rows, shape.Tokens),
                new LinearPush
                {
                    Weights = place.Pushed(part.First, part.Count),
                    From = x.Pushed,
                    Gate = z.Pushed,
                    Residual = residual.Pushed,
                    To = y.Pushed,
                    U = u.Pushed,
                    Scale = op.Scale,
                    Epsilon = group.Norm?.Epsilon ?? group.Gate?.Epsilon ?? 0,
                    Domain = VulkanCompiler.Domain(op.X),
                    Selects = group.Select is null ? 0u : 1,
                    HasBias = op.Bias is null ? 0u : 1,
                    Adds = (group.Conv is { } convolved ? convolved.Bias is not null : op.AddTo is not null) ? 1u : 0,
                    ConvFirst = group.Conv is { } first ? (uint)(first.X.Offset - op.Output.Offset) : 0,
                    Channels = (uint)(group.Conv?.X.Width ?? 0),
                },
                [.. Read(part.Data, part.Scales, x, group.Norm?.Weight), .. bindings], Workload.OfProduct(rows, part, place.Columns));
    }

    /// <summary>A matrix and what it is multiplied by, as shaders read them.</summary>
    private BufferBinding[] Read(BufferSlice data, BufferSlice scales, RowsPlace x, WeightRef? norm)
    {
        (data, scales) = (list.OrTable(data), list.OrTable(scales));
        return device.UsesTexels
            ? [new(BufferBinding.Words, data), new(BufferBinding.Quads, data), new(BufferBinding.Scales, scales), new(BufferBinding.X, x.Memory), new(BufferBinding.Norm, list.Vector(weights, norm)), new(3, x.Memory)]
            : [new(1, data), new(2, scales), new(3, x.Memory)];
    }

    private string Named(string shader) => device.UsesSubgroups ? shader + ".subgroups" : shader;
}
