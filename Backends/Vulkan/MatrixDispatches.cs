namespace MambaRT.Backends.Vulkan;

/// <summary>Products of many rows by matrices of halves (matrices.comp).</summary>
internal sealed class MatrixDispatches(VulkanDevice device, DeviceWeights weights, ArenaMemory arena, HalfScratch scratch, DispatchList list, Bucket bucket)
{
    private const int Threads = 64, LargeTile = 128, SmallTile = 64;

    /// <summary>Workgroups that keep a large device busy: with fewer, tiles are small.</summary>
    private const int Enough = 96;

    /// <summary>Adds a product, unless it goes otherwise.</summary>
    public bool TryMultiply(LinearOp op)
    {
        WeightPlace place = weights[op.Weight];
        int rows = op.X.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs, stride = HalfScratch.StrideOf(op.X.Width);
        if (!scratch.Takes(place, rows)) return false;
        RowsPlace x = arena[op.X];
        list.Add(op, new ShaderKey("halve"), DispatchList.Parts(stride / 8, Threads), rows,
            new HalvePush { From = x.Pushed, Width = (uint)op.X.Width, Stride = (uint)stride, Domain = VulkanCompiler.Domain(op.X) },
            [new(1, x.Memory), new(2, scratch.Rows, BufferAccess.Writes)]);
        if (!place.Form.IsQuantized)
        {
            foreach (var part in place.Parts(device, Workload.MostRows(rows, place.Columns, device.MostWork))) Multiply(op, place, part.Data, part.First, part.Count, rows, stride);
            return true;
        }
        long mostRows = scratch.Weights.Bytes / sizeof(ushort) / place.Columns;
        foreach (var part in place.Parts(device, Math.Min(Math.Min(mostRows, device.Traits.MostGroups), Workload.MostRows(rows, place.Columns, device.MostWork))))
        {
            BufferSlice halves = scratch.Weights.Part(0, (long)part.Count * place.Columns * sizeof(ushort));
            list.Add(op, new ShaderKey("dequantize", FormNumber.Of(place.Form), place.IsWide), DispatchList.Parts(place.Columns / 16, Threads), part.Count,
                new DequantizePush { Weights = place.Pushed(part.First, part.Count) }, [new(1, part.Data), new(2, list.OrTable(part.Scales)), new(3, halves, BufferAccess.Writes)], Workload.OfProduct(1, part, place.Columns));
            Multiply(op, place, halves, part.First, part.Count, rows, stride);
        }
        return true;
    }

    private void Multiply(LinearOp op, WeightPlace place, BufferSlice halves, int first, int count, int rows, int stride)
    {
        RowsPlace y = arena[op.Output], residual = op.AddTo is Activation a ? arena[a] : default;
        bool small = DispatchList.Parts(rows, LargeTile) * DispatchList.Parts(count, LargeTile) < Enough;
        int tile = small ? SmallTile : LargeTile;
        string shader = (small ? "matrices.small" : "matrices") + (device.Matrices == MatrixUse.Emulated ? ".emulated" : "");
        list.Add(op, new ShaderKey(shader), DispatchList.Parts(rows, tile), DispatchList.Parts(count, tile),
            new TilesPush
            {
                Weights = place.Pushed(first, count),
                From = new Rows { Stride = (uint)stride },
                Residual = residual.Pushed,
                To = y.Pushed,
                Scale = op.Scale,
                Domain = VulkanCompiler.Domain(op.X),
                HasBias = op.Bias is null ? 0u : 1,
                Adds = op.AddTo is null ? 0u : 1,
            },
            [new(1, halves), new(2, list.OrTable(default)), new(3, scratch.Rows), new(4, list.OrTable(residual.Memory)), new(5, list.Vector(weights, op.Bias)), new(6, y.Memory, BufferAccess.Writes)],
            Workload.OfProduct(rows, (first, count, halves, default), place.Columns));
    }
}
