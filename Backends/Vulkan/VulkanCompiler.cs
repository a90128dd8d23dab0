namespace MambaRT.Backends.Vulkan;

/// <summary>Turns the ops of a plan into dispatches for a bucket. What a batch holds is read on the device; a bucket only bounds it.</summary>
internal sealed class VulkanCompiler : IScanContract
{
    private const uint TokenRows = 0, OutputRows = 1;

    /// <summary>What shaders take of a value at a time: columns of a thread in embed, and of a row of matmul.</summary>
    private const int Columns = 16;

    private readonly VulkanDevice _device;
    private readonly DeviceWeights _weights;
    private readonly DeviceSlots _slots;
    private readonly ArenaMemory _arena;
    private readonly Bucket _bucket;
    private readonly DispatchList _list;
    private readonly StepDispatches _steps;
    private readonly MatrixDispatches _matrices;

    public VulkanCompiler(VulkanDevice device, DeviceWeights weights, DeviceSlots slots, ArenaMemory arena, HalfScratch halves, BufferSlice table, Bucket bucket)
    {
        (_device, _weights, _slots, _arena, _bucket) = (device, weights, slots, arena, bucket);
        _list = new DispatchList(device, table, bucket);
        _steps = new StepDispatches(device, weights, slots, arena, _list, bucket);
        _matrices = new MatrixDispatches(device, weights, arena, halves, _list, bucket);
    }

    /// <summary>The dispatches so far.</summary>
    public IReadOnlyList<Dispatch> Dispatches => _list.All;

    /// <summary>Turns all ops of a plan into dispatches, those of groups together where the batch has one row a sequence.</summary>
    public void Compile(Plan plan, StepGroups groups)
    {
        for (int i = 0; i < plan.Ops.Length;)
        {
            StepGroup? group = _bucket.Single && _bucket.Rows <= StepDispatches.MostRows ? groups[i] : null;
            if (group is null)
            {
                if (plan.Ops[i] is SsdScanOp scan && i + 1 < plan.Ops.Length && _steps.WithoutGate(plan, scan, groups[i + 1]) is { } normed)
                {
                    _steps.Scan(scan, groups[i + 1]?.Gate?.Z);
                    _steps.Add(normed);
                    i += 1 + normed.Count;
                    continue;
                }
                Add(plan, i++);
                continue;
            }
            int end = i + group.Count;
            if (!_steps.Takes(group))
            {
                while (plan.Ops[i] != group.Linear) Add(plan, i++);
                group = group with { Select = null, Norm = null, Gate = null };
            }
            _steps.Add(group);
            i = end;
        }
    }

    /// <summary>Puts what the run before has picked into the batch.</summary>
    public void Resolve()
    {
        const int Threads = 64;
        _list.AddFirst("picked tokens", new ShaderKey("resolve"), DispatchList.Parts(_bucket.Sequences, Threads), new ResolvePush { LastPick = Batch.LastPick }, [new(1, _slots.LastPicks)]);
    }

    /// <summary>Adds an op, which writes halves where the next one is a product by matrices that reads them.</summary>
    private void Add(Plan plan, int i)
    {
        _matrices.ReadsNext(plan, i);
        plan.Ops[i].Accept(this);
    }

    public void Embed(EmbedOp op)
    {
        const int Threads = 64;
        WeightPlace place = _weights[op.Table];
        RowsPlace y = _arena[op.Output];
        foreach (var part in place.Parts(_device, int.MaxValue))
            _list.Add(op, new ShaderKey("embed", FormNumber.Of(place.Form), place.IsWide), DispatchList.Parts(DispatchList.Parts(place.Columns, Columns), Threads), _bucket.Rows,
                new EmbedPush { Table = place.Pushed(part.First, part.Count), To = y.Pushed, Scale = op.Scale },
                [new(1, part.Data), new(2, _list.OrTable(part.Scales)), new(3, y.Memory, BufferAccess.Writes)]);
    }

    public void RmsNorm(RmsNormOp op) => Norm(op, op.X, null, op.Weight, 1, op.Epsilon);

    public void GatedRmsNorm(GatedRmsNormOp op) => Norm(op, op.X, op.Z, op.Weight, op.NGroups, op.Epsilon);

    public void Linear(LinearOp op)
    {
        const int RowsOfTile = 64, TokensOfTile = 32;
        int rows = Rows(op.X);
        if (rows <= StepDispatches.MostRows)
        {
            _steps.Multiply(op);
            return;
        }
        if (_matrices.TryMultiply(op)) return;
        WeightPlace place = _weights[op.Weight];
        RowsPlace x = _arena[op.X], y = _arena[op.Output], residual = op.AddTo is Activation a ? _arena[a] : default;
        var shader = new ShaderKey("matmul", FormNumber.Of(place.Form), place.IsWide, x.IsWide && op.X.Width % Columns == 0 ? 1u : 0);
        foreach (var part in place.Parts(_device, Math.Min((long)_device.Traits.MostGroups * RowsOfTile, Workload.MostRows(rows, place.Columns, _device.MostWork))))
            _list.Add(op, shader, DispatchList.Parts(part.Count, RowsOfTile), DispatchList.Parts(rows, TokensOfTile),
                new TilesPush
                {
                    Weights = place.Pushed(part.First, part.Count),
                    From = x.Pushed,
                    Residual = residual.Pushed,
                    To = y.Pushed,
                    Scale = op.Scale,
                    Domain = Domain(op.X),
                    HasBias = op.Bias is null ? 0u : 1,
                    Adds = op.AddTo is null ? 0u : 1,
                },
                [new(1, part.Data), new(2, _list.OrTable(part.Scales)), new(3, x.Memory), new(4, _list.OrTable(residual.Memory)), new(5, _list.Vector(_weights, op.Bias)), new(6, y.Memory, BufferAccess.Writes)],
                Workload.OfProduct(rows, part, place.Columns));
    }

    public void CausalConv(CausalConvOp op)
    {
        const int Threads = 64, RowsOfThread = 8, FewRows = 64;
        RowsPlace x = _arena[op.X], y = _arena[op.Output];
        HalvesYield yield = _matrices.Yield(y.Memory);
        var push = new ConvPush { From = x.Pushed, To = y.Pushed, Channels = (uint)op.X.Width, HasBias = op.Bias is null ? 0u : 1, HalvesStride = yield.Stride };
        BufferBinding read = new(1, x.Memory), taps = new(2, _weights.Vector(op.Weight)), bias = new(3, _list.Vector(_weights, op.Bias)), written = new(5, y.Memory, BufferAccess.Writes);
        BufferSlice window = _slots[op.Window];
        int blocks = DispatchList.Parts(op.X.Width, Threads);
        bool keeps = window.Bytes > 0;   // a convolution of one tap keeps nothing
        BufferBinding changed = new(4, _list.OrTable(window), keeps ? BufferAccess.Reads | BufferAccess.Writes : BufferAccess.Reads);
        int rows = _bucket.Single || _bucket.Rows <= FewRows ? 1 : RowsOfThread;
        _list.Add(op, new ShaderKey("conv", _bucket.Single ? 1u : 0, yield.Kind, (uint)op.DConv, (uint)rows), blocks, DispatchList.Parts(_bucket.Rows, rows), push, [read, taps, bias, changed, written, new(6, yield.Memory, BufferAccess.Writes)]);
        if (keeps && !_bucket.Single) _list.Add(op, new ShaderKey("conv.window", 0, 0, (uint)op.DConv), blocks, _bucket.Sequences, push, [read, changed]);
    }

    public void SelectiveScan(SelectiveScanOp op)
    {
        if (_bucket.Single)
        {
            _steps.Scan(op);
            return;
        }
        RowsPlace u = _arena[op.U], dt = _arena[op.Dt], b = _arena[op.B], c = _arena[op.C], z = _arena[op.Z], y = _arena[op.Output];
        Scan(op, op.DState, op.U.Width, op.U.Width, 0,
            new ScanPush { U = u.Pushed, Dt = dt.Pushed, B = b.Pushed, C = c.Pushed, Z = z.Pushed, To = y.Pushed, Channels = (uint)op.U.Width, HeadDim = 1, HeadsOfGroup = 1 },
            [new(1, u.Memory), new(2, dt.Memory), new(3, b.Memory), new(4, c.Memory), new(5, z.Memory), new(6, _weights.Vector(op.A)), new(7, _weights.Vector(op.D)),
                new(8, _weights.Vector(op.DtBias)), new(9, _slots[op.State], BufferAccess.Reads | BufferAccess.Writes), new(10, y.Memory, BufferAccess.Writes)]);
    }

    public void SsdScan(SsdScanOp op)
    {
        if (_bucket.Single)
        {
            _steps.Scan(op);
            return;
        }
        RowsPlace x = _arena[op.X], dt = _arena[op.Dt], b = _arena[op.B], c = _arena[op.C], y = _arena[op.Output];
        Scan(op, op.DState, op.X.Width, op.X.Width / op.NGroups, op.HeadDim,
            new ScanPush { U = x.Pushed, Dt = dt.Pushed, B = b.Pushed, C = c.Pushed, To = y.Pushed, Channels = (uint)op.X.Width, HeadDim = (uint)op.HeadDim, HeadsOfGroup = (uint)(op.NHeads / op.NGroups) },
            [new(1, x.Memory), new(2, dt.Memory), new(3, b.Memory), new(4, c.Memory), new(5, x.Memory), new(6, _weights.Vector(op.A)), new(7, _weights.Vector(op.D)),
                new(8, _weights.Vector(op.DtBias)), new(9, _slots[op.State], BufferAccess.Reads | BufferAccess.Writes), new(10, y.Memory, BufferAccess.Writes)]);
    }

    public void SelectOutputs(SelectOutputsOp op)
    {
        const int Threads = 64;
        RowsPlace x = _arena[op.X], y = _arena[op.Output];
        _list.Add(op, new ShaderKey("select"), DispatchList.Parts(op.X.Width, Threads), _bucket.Outputs, new SelectPush { From = x.Pushed, To = y.Pushed, Width = (uint)op.X.Width },
            [new(1, x.Memory), new(2, y.Memory, BufferAccess.Writes)]);
    }

    private void Norm(Op op, Activation input, Activation? gate, WeightRef? weight, int groups, float epsilon)
    {
        const int Threads = 128, MostHeld = 32;
        int width = input.Width / groups;
        RowsPlace x = _arena[input], z = gate is Activation g ? _arena[g] : x, y = _arena[op.Output];
        HalvesYield yield = _matrices.Yield(y.Memory);
        bool wide = x.IsWide && z.IsWide && y.IsWide && width % 4 == 0 && yield.Stride % 4 == 0 && width <= MostHeld * Threads;
        int held = wide ? 4 * DispatchList.Parts(width / 4, Threads) : DispatchList.Parts(width, Threads);
        _list.Add(op, new ShaderKey("norm", gate is null ? 0u : 1, weight is null ? 0u : 1, yield.Kind, held > MostHeld ? 0 : (uint)held, wide ? 1u : 0), Rows(input), groups,
            new NormPush { From = x.Pushed, Gate = z.Pushed, To = y.Pushed, Width = (uint)width, Domain = Domain(input), HalvesStride = yield.Stride, Epsilon = epsilon },
            [new(1, x.Memory), new(2, z.Memory), new(3, _list.Vector(_weights, weight)), new(4, y.Memory, BufferAccess.Writes), new(5, yield.Memory, BufferAccess.Writes)]);
    }

    private void Scan(Op op, int states, int channels, int channelsOfGroup, int channelsOfHead, in ScanPush push, BufferBinding[] bindings)
    {
        HalvesYield yield = _matrices.Yield(_arena[op.Output].Memory);
        var shape = ScanShape.For(states, channels, channelsOfGroup, channelsOfHead, _device.Traits.SharedBytes, _device.HasShortShaders ? 0 : _device.Traits.MostThreads);
        _list.Add(op, new ShaderKey("scan", channelsOfHead > 0 ? 1u : 0, (uint)states, (uint)shape.Own, (uint)shape.Lanes, (uint)shape.Steps, yield.Kind, (uint)shape.Across, (uint)shape.Servers, (uint)(ScanShape.Threads + shape.Servers)),
            DispatchList.Parts(channels, shape.Channels), _bucket.Sequences, push with { HalvesStride = yield.Stride }, [.. bindings, new(11, yield.Memory, BufferAccess.Writes)]);
    }

    private int Rows(Activation a) => a.Rows == RowDomain.Tokens ? _bucket.Rows : _bucket.Outputs;

    /// <summary>What shaders call the domain of a value's rows.</summary>
    public static uint Domain(Activation a) => a.Rows == RowDomain.Tokens ? TokenRows : OutputRows;
}
