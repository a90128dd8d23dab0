namespace MambaRT.Backends.Vulkan;

/// <summary>Products of many rows by matrices of halves (matrices.comp); x is rounded to these, or split in two of them.</summary>
internal sealed class MatrixDispatches(VulkanDevice device, DeviceWeights weights, ArenaMemory arena, HalfScratch scratch, DispatchList list, Bucket bucket)
{
    private const int Threads = 64, Tile = 64, SmallTile = 32;

    private LinearOp? _next, _halved;
    private bool _isOnlyReader;

    /// <summary>Notes whether the op behind one is a product by matrices of all that it yields: its shader may write the halves then.</summary>
    public void ReadsNext(Plan plan, int i)
    {
        Op op = plan.Ops[i];
        _next = i + 1 < plan.Ops.Length && plan.Ops[i + 1] is LinearOp linear && linear.X == op.Output && linear.X.Width % 64 == 0
            && scratch.Takes(weights[linear.Weight], Rows(linear)) && !scratch.Splits(weights[linear.Weight]) ? linear : null;
        _isOnlyReader = _next is not null && plan.Registers[op.Output.Register].Last == i + 1 && _next.AddTo?.Register != op.Output.Register;
    }

    /// <summary>What the op has to write; for those that can.</summary>
    /// <param name="floats">Where its floats go: named as that of the halves too where there are none, as validation layers take a shader for writing there.</param>
    public HalvesYield Yield(BufferSlice floats)
    {
        _halved = _next;
        return _next is null ? new HalvesYield(HalvesYield.Floats, floats, 0)
            : new HalvesYield(_isOnlyReader ? HalvesYield.Halves : HalvesYield.Both, scratch.Rows, (uint)HalfScratch.StrideOf(_next.X.Width));
    }

    /// <summary>Adds a product, unless it goes otherwise.</summary>
    public bool TryMultiply(LinearOp op)
    {
        WeightPlace place = weights[op.Weight];
        int rows = Rows(op), stride = HalfScratch.StrideOf(op.X.Width);
        if (!scratch.Takes(place, rows)) return false;
        bool split = scratch.Splits(place);
        if (split) stride *= 2;
        if (split || _halved != op) BringRows(op, rows, stride, split);
        long most = Workload.MostRows(rows, place.Columns, device.MostWork);
        if (!HalfScratch.BringsToHalves(place))
        {
            foreach (var part in place.Parts(device, most)) Multiply(op, place, part.Data, part.First, part.Count, rows, stride);
            return true;
        }
        long mostRows = scratch.Weights.Bytes / sizeof(ushort) / place.Columns;
        foreach (var part in place.Parts(device, Math.Min(Math.Min(mostRows, device.Traits.MostGroups), most)))
        {
            BufferSlice halves = scratch.Weights.Part(0, (long)part.Count * place.Columns * sizeof(ushort));
            BringWeights(op, place, part, halves, split);
            Multiply(op, place, halves, part.First, part.Count, rows, stride);
        }
        return true;
    }

    /// <summary>Brings x to halves.</summary>
    private void BringRows(LinearOp op, int rows, int stride, bool split)
    {
        RowsPlace x = arena[op.X];
        var push = new HalvePush { From = x.Pushed, Width = (uint)op.X.Width, Stride = (uint)stride, Domain = VulkanCompiler.Domain(op.X) };
        BufferBinding from = new(1, x.Memory), to = new(2, scratch.Rows, BufferAccess.Writes);
        if (split) list.Add(op, new ShaderKey("split"), rows, 1, push, [from, to, new(3, scratch.Powers, BufferAccess.Writes)]);
        else list.Add(op, new ShaderKey("halve"), DispatchList.Parts(stride / 8, Threads), rows, push, [from, to]);
    }

    /// <summary>Brings some rows of weights to halves.</summary>
    private void BringWeights(LinearOp op, WeightPlace place, (int First, int Count, BufferSlice Data, BufferSlice Scales) part, BufferSlice halves, bool split)
    {
        long work = Workload.OfProduct(1, part, place.Columns);
        if (split)
            list.Add(op, new ShaderKey("split.weights"), part.Count, 1, new HalvePush { From = new Rows { Stride = (uint)place.Columns }, Width = (uint)place.Columns, Stride = (uint)place.Columns },
                [new(1, part.Data), new(2, halves, BufferAccess.Writes), new(3, scratch.WeightPowers, BufferAccess.Writes)], work);
        else
            list.Add(op, new ShaderKey("dequantize", FormNumber.Of(place.Form), place.IsWide), DispatchList.Parts(place.Columns / 16, Threads), part.Count,
                new DequantizePush { Weights = place.Pushed(part.First, part.Count) }, [new(1, part.Data), new(2, list.OrTable(part.Scales)), new(3, halves, BufferAccess.Writes)], work);
    }

    private int Rows(LinearOp op) => op.X.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs;

    private void Multiply(LinearOp op, WeightPlace place, BufferSlice halves, int first, int count, int rows, int stride)
    {
        RowsPlace y = arena[op.Output], residual = op.AddTo is Activation a ? arena[a] : default;
        bool split = scratch.Splits(place), brought = HalfScratch.BringsToHalves(place);
        string variant = (split ? ".exact" : "") + (device.Matrices == MatrixUse.Emulated ? ".emulated" : "");
        int side = DispatchList.Parts(rows, Tile) * DispatchList.Parts(count, Tile) < device.Multiprocessors ? SmallTile : Tile;
        var shader = new ShaderKey("matrices" + variant, 0, 0, 0, split && brought ? 1u : 0, (uint)side);   // the first three are those of weights and wide x
        list.Add(op, shader, DispatchList.Parts(rows, side), DispatchList.Parts(count, side),
            new TilesPush
            {
                Weights = place.Pushed(first, count) with { RowBytes = (uint)(brought ? place.Columns * sizeof(ushort) : place.RowBytes) },
                From = new Rows { Stride = (uint)stride },
                Residual = residual.Pushed,
                To = y.Pushed,
                Scale = op.Scale,
                Domain = VulkanCompiler.Domain(op.X),
                HasBias = op.Bias is null ? 0u : 1,
                Adds = op.AddTo is null ? 0u : 1,
            },
            [new(1, halves), new(2, list.OrTable(default)), new(3, scratch.Rows), new(4, list.OrTable(residual.Memory)), new(5, list.Vector(weights, op.Bias)), new(6, y.Memory, BufferAccess.Writes),
                new(7, list.OrTable(split ? scratch.Powers : default)), new(8, list.OrTable(split && brought ? scratch.WeightPowers : default))],
            Workload.OfProduct(rows, (first, count, halves, default), place.Columns));
    }
}
