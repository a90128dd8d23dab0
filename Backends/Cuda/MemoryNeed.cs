using MambaRT.Formats;

namespace MambaRT.Backends.Cuda;

/// <summary>What a model takes of a device's memory, known before anything is placed there: never less than it will be.</summary>
internal sealed class MemoryNeed
{
    /// <summary>What a driver gives at least for a large piece, and where small ones lie together.</summary>
    private const long Grain = 2 << 20, Large = 1 << 20;

    /// <summary>The kernels' code and what the driver keeps beside it, about.</summary>
    private const int ReservedShare = 100;

    /// <summary>What a model may be quantized to, largest first, with the type of most of its weights.</summary>
    private static readonly (string Name, QuantType Type)[] Smaller =
        [("F16", QuantTypes.F16), ("Q8_0", QuantTypes.Q8_0), ("Q6_K", QuantTypes.Q6_K), ("Q5_K_M", QuantTypes.Q5_K), ("Q4_K_M", QuantTypes.Q4_K), ("Q3_K_M", QuantTypes.Q3_K), ("Q2_K", QuantTypes.Q2_K)];

    private readonly Plan _plan;
    private readonly IWeightSource _source;
    private readonly int _chunk;
    private readonly bool _tensorCores, _exact;
    private readonly long _weights, _rest;

    /// <param name="plan">The network.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="chunk">Rows that prompts are fed in.</param>
    /// <param name="tensorCores">Whether products go by tensor cores, which read halves.</param>
    /// <param name="exact">As for <see cref="HalfParts.For"/>.</param>
    public MemoryNeed(Plan plan, IWeightSource source, int chunk, bool tensorCores, bool exact)
    {
        (_plan, _source, _chunk, _tensorCores, _exact) = (plan, source, chunk, tensorCores, exact);
        foreach (WeightSpec spec in plan.Weights)
            if (spec.TryFind(source, out TensorView view)) _weights += Piece(DeviceWeights.BytesOf(WeightForm.For(spec, view), view).Total);
        _rest = Scratch(Math.Max(chunk, 1)) + 2 * Piece(DeviceSlots.BytesOf(plan.States));   // a session's state, and the slot that belongs to none
    }

    /// <summary>Bytes in all.</summary>
    public long Total => _weights + _rest;

    /// <summary>Why it does not fit, as a sentence; null where it does.</summary>
    public string? WhyNot(long free)
    {
        long usable = free - free / ReservedShare;
        if (Total <= usable) return null;
        string way = "no storage type makes it fit";
        foreach ((string name, QuantType type) in Smaller)
            if (Weights(type) is long bytes && bytes < _weights && bytes + _rest <= usable)
            {
                way = $"quantized to {name} it fits";
                break;
            }
        string split = SplitBackend.WayOut(_plan, piece => new MemoryNeed(piece, _source, _chunk, _tensorCores, _exact).Total <= usable);
        return $"The model needs {Mebibytes(Total)} MiB on the device and {usable >> 20:n0} MiB are free: {Mebibytes(Total - usable)} MiB are missing; {way}. Or {split}choose --backend cpu.";
    }

    /// <summary>Bytes with the projections in another type; recipes store a few tensors in larger ones, so K-quants are counted a tenth larger.</summary>
    private long Weights(QuantType type)
    {
        long bytes = 0;
        foreach (WeightSpec spec in _plan.Weights)
        {
            if (spec.IsDecoded)
            {
                bytes += Piece(spec.Count * sizeof(float));
                continue;
            }
            QuantType stored = spec.Columns % type.BlockLength == 0 ? type : spec.Columns % QuantTypes.Q8_0.BlockLength == 0 ? QuantTypes.Q8_0 : QuantTypes.F16;
            long tensor = spec.Count / spec.Columns * stored.RowBytes(spec.Columns);
            bytes += Piece(stored.BlockLength > QuantTypes.Q8_0.BlockLength ? tensor + tensor / 10 : tensor);
        }
        return bytes;
    }

    private long Scratch(int rows)
    {
        int widest = 0;
        long matrix = 0;
        bool quantized = false;
        foreach (Op op in _plan.Ops)
        {
            if (op is not LinearOp linear || !_plan.Weights[linear.Weight.Index].TryFind(_source, out TensorView view)) continue;
            widest = Math.Max(widest, linear.X.Width);
            if (!WeightForm.For(view.Type, view.Type.Name).IsQuantized) continue;
            quantized = true;
            matrix = Math.Max(matrix, (long)linear.X.Width * linear.Output.Width);
        }
        long ssd = 0;
        foreach (Op op in _plan.Ops)
            if (op is SsdScanOp scan) ssd = Math.Max(ssd, SsdChunks.BytesOfRow(scan));
        long bytes = Piece(rows * ssd) + Piece(ArenaMemory.BytesOf(_plan, rows)) + 2 * Piece((long)_plan.VocabularySize * sizeof(float)) + Piece(rows * 4L * sizeof(int));
        if (quantized) bytes += Piece(RoundedMemory.BytesOf(rows, widest));
        if (!_tensorCores) return bytes;
        bytes += Piece(SplitMemory.BytesOf(_plan, weight => PlanKernels.FormOf(_plan, weight, _source), _exact, rows));
        bytes += HalfMemory.MostBuffers * Piece((long)rows * (widest + 8) * sizeof(ushort)) + Piece(HalfMemory.PartsBytes) + Piece(matrix * sizeof(ushort)) + Grain;
        return bytes;
    }

    /// <summary>What the driver takes for a piece.</summary>
    private static long Piece(long bytes) => bytes < Large ? (bytes + 511) / 256 * 256 : (bytes + Grain - 1) / Grain * Grain;

    /// <summary>What so many sessions take, with prompts by chunks and batches of any number of them, up to a chunk's rows.</summary>
    public MemoryUse Use(int sessions)
    {
        long slot = Piece(DeviceSlots.BytesOf(_plan.States)), one = _rest - 2 * slot, scratch = one;
        for (int rows = 2; rows / 2 < Math.Min(sessions, _chunk); rows *= 2) scratch += one + 2 * Piece((long)_plan.VocabularySize * rows * sizeof(float));   // each has its own
        return new MemoryUse(_weights, checked((sessions + 1L) * slot), scratch, OnDevice: true);   // one slot belongs to none
    }

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20:n0}";
}
