using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>Launches products of many rows on tensor cores: x and the weights as halves, sums in float32.</summary>
internal sealed class TensorProducts(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, HalfMemory halves, LaunchList launches)
{
    /// <summary>Rows that go directly, as one weight is read for four of them at a time. Tensor cores pay sooner where they take weights as they are stored.</summary>
    private const int MostDirect = 16, MostDirectStored = 8;

    /// <summary>What lies in the room for factors in parts, in how many, and whether it was rounded to 8 bits first.</summary>
    private (Activation Value, int Parts, bool Rounded)? _split;

    /// <summary>Most rows of a product that do not go by tiles.</summary>
    public static int DirectRows(WeightForm form) => form.IsHalf || IsReadAsBytes(form) ? MostDirectStored : MostDirect;

    /// <summary>The least that <see cref="DirectRows"/> says.</summary>
    public static int LeastDirectRows => MostDirectStored;

    /// <summary>Whether a product could go this way: weights are halves or become such, and their rows are whole pieces of sixteen bytes.</summary>
    public static bool CanTake(LinearOp op, WeightForm form) => form.IsQuantized || form.Kernels == "F32" || op.X.Width % 8 == 0;

    /// <summary>What the kernels are called by that multiply factors in parts: two of each, where the weights are not halves, are those of F32.</summary>
    public static string ExactType(WeightForm form) => $"exact_{(form.IsQuantized ? "F32" : form.Kernels)}";

    /// <summary>Whether products of few rows read a quantized form as it is.</summary>
    public static bool IsReadAsBytes(WeightForm form) => form.Kernels == "Q8_0";

    /// <summary>Whether it does: there are many rows.</summary>
    public bool Takes(LinearOp op, WeightForm form, int rows) =>
        model.HasTensorCores && rows > (HalfParts.For(form, model.IsExact).AreSeveral ? MostDirect : DirectRows(form)) && CanTake(op, form);

    /// <summary>Adds the launches of a product.</summary>
    /// <param name="op">The product.</param>
    /// <param name="form">The form of its weights.</param>
    /// <param name="arguments">What every product takes.</param>
    /// <param name="rows">Rows at most.</param>
    /// <param name="notFinite">What is set to 1 where an output is not finite, or 0; products of up to <see cref="TensorTile.MostNarrow"/> rows can.</param>
    public void Multiply(LinearOp op, WeightForm form, LinearArguments arguments, int rows, ulong notFinite = 0)
    {
        HalfParts parts = HalfParts.For(form, model.IsExact);
        // Outputs that cannot be accessed in pairs are left to the tiles that can do without.
        bool wgmma = model.Kernels.HasWgmma && arguments.Pairs != 0;
        int columns = op.Output.Width, first = TensorTile.FirstOutputs(parts, rows, columns, op.X.Width, model.Kernels.MultiProcessors, wgmma);
        TensorTile tile = TileOf(first);
        bool asBytes = tile.IsNarrow && IsReadAsBytes(form) && op.X.Width % tile.Depth == 0;
        Factors factors = parts.AreSeveral ? InParts(op, form, parts, ref arguments, rows) : InHalves(op, form, asBytes, ref arguments, rows);
        Multiply(op, factors, Outputs(arguments, 0, first), rows, tile, notFinite);
        if (first < columns) Multiply(op, factors, Outputs(arguments, first, columns - first), rows, TileOf(columns - first), notFinite);

        TensorTile TileOf(int outputs) => TensorTile.For(parts, rows, outputs, op.X.Width, model.Kernels.MultiProcessors, wgmma);
    }

    /// <summary>What a product's launches multiply.</summary>
    /// <param name="Type">As the kernels' names have it.</param>
    /// <param name="Stored">Whether the weights are as they are stored.</param>
    /// <param name="X">The rows, as halves.</param>
    /// <param name="Scaled">What leads back from factors in parts.</param>
    private readonly record struct Factors(string Type, bool Stored, HalfPointer X, ScaledPointer Scaled);

    private Factors InHalves(LinearOp op, WeightForm form, bool asBytes, ref LinearArguments arguments, int rows)
    {
        HalfPointer x = Halve(op, form, arguments.Rows, rows);
        bool stored = form.IsHalf || asBytes;
        if (!stored) arguments.Weights = Dequantize(op, form);
        return new Factors(stored ? form.Kernels : TypeOf(form), stored, x, default);
    }

    /// <summary>Factors that are sums of halves.</summary>
    private Factors InParts(LinearOp op, WeightForm form, HalfParts parts, ref LinearArguments arguments, int rows)
    {
        const int EveryRow = -1;
        PartedPointer x = halves.Split.X(op.X.Width, parts);
        (Activation, int, bool) wanted = (op.X, parts.X, form.IsQuantized);
        if (_split != wanted) Split(op, arena[op.X], x, rows, arguments.Rows, form.IsQuantized);
        _split = wanted;
        var scaled = new ScaledPointer { Rows = x.Back, Apart = x.Apart };
        if (parts.W > 1)
        {
            WeightPointer w = arguments.Weights;
            PartedPointer to = halves.Split.Weights(w, parts);
            if (form.IsQuantized) Dequantize(op, form, to);
            else Split(op, new MatrixPointer { Data = w.Data, Stride = (int)(w.Stride / sizeof(float)), Width = w.Columns }, to, w.Rows, EveryRow);
            arguments.Weights = w with { Data = to.To.Data, Scales = 0, Stride = to.To.Stride * sizeof(ushort) };
            scaled.Outputs = to.Back;
        }
        return new Factors(ExactType(form), false, x.To, scaled);
    }

    private void Multiply(LinearOp op, Factors factors, in LinearArguments arguments, int rows, TensorTile tile, ulong notFinite)
    {
        if (tile.IsWgmma) ByWgmma(op, factors, arguments, rows, tile);
        else if (tile.IsNarrow) ByNarrow(op, factors, arguments, rows, tile, notFinite);
        else ByMma(op, factors, arguments, rows, tile);
    }

    /// <summary>A product of some of the outputs, an even number from an even one on.</summary>
    private static LinearArguments Outputs(LinearArguments a, int first, int count)
    {
        a.Weights.Data += (ulong)(first * a.Weights.Stride);
        a.Weights.Rows = count;
        a.Y = From(a.Y, first, count);
        a.AddTo = From(a.AddTo, first, count);
        if (a.Bias != 0) a.Bias += (ulong)first * sizeof(float);
        if (a.Half.To.Data != 0) a.Half.To.Data += (ulong)first * sizeof(ushort);
        return a;

        static MatrixPointer From(MatrixPointer m, int first, int count) => m.Data == 0 ? m : m with { Data = m.Data + (ulong)first * sizeof(float), Width = count };
    }

    private void Split(LinearOp op, MatrixPointer from, PartedPointer to, int rows, int domain, bool rounded = false)
    {
        const int MostThreads = 256, LeastThreads = 32, ColumnsOfThread = 8;
        int threads = MostThreads;
        while (threads > LeastThreads && to.To.Stride <= threads / 2 * ColumnsOfThread) threads /= 2;
        Add(op, "halve", "split", rows, 1, threads, new SplitArguments { Batch = table.Pointers, X = from, To = to, Rows = domain, Wide = from.IsWide && from.Width % 4 == 0 ? 1 : 0, Rounded = rounded ? 1 : 0 });
    }

    /// <summary>Where an op leaves its output in parts, as the next product that reads such reads it; no data for nowhere.</summary>
    public PartedPointer Parted(Op op, int rows)
    {
        ReadOnlySpan<Op> ops = model.Plan.Ops;
        for (int i = ops.IndexOf(op) + 1; i < ops.Length; i++)
        {
            if (ops[i] is not LinearOp next) continue;
            WeightForm form = weights.FormOf(next.Weight);
            HalfParts parts = HalfParts.For(form, model.IsExact);
            if (!parts.AreSeveral || !Takes(next, form, rows)) continue;
            return next.X == op.Output && !form.IsQuantized ? halves.Split.X(op.Output.Width, parts) with { Only = IsReadBy(op.Output, next) && model.Observer is null ? 1 : 0 } : default;
        }
        return default;
    }

    /// <summary>Whether nothing else reads a value.</summary>
    private bool IsReadBy(Activation value, LinearOp product)
    {
        foreach (Op op in model.Plan.Ops)
            foreach (Activation input in op.Inputs)
                if (input.Register == value.Register && (op != product || input != product.X || input == product.AddTo)) return false;
        foreach (Activation carried in model.Plan.CarriedOut)
            if (carried.Register == value.Register) return false;
        return true;
    }

    /// <summary>An op has left a value in parts.</summary>
    /// <param name="value">The value.</param>
    /// <param name="parts">In how many.</param>
    public void Hold(Activation value, int parts) => _split = (value, parts, false);

    /// <summary>What an op writes over is no longer what was split.</summary>
    public void Wrote(Op op)
    {
        if (op.Output.Register == _split?.Value.Register) _split = null;
    }

    /// <summary>Where the sums of a split tile lie until they are added up.</summary>
    private PartsPointer SumsOf(int outputs, int rows, TensorTile tile) =>
        new() { Data = halves.Parts, Rows = Parts(rows, tile.Rows) * tile.Rows, Stride = Parts(outputs, 4) * 4, Splits = tile.Splits };

    private HalfPointer Halve(LinearOp op, WeightForm form, int domain, int rows)
    {
        const int Threads = 128, Columns = 4;
        (RoundingPointer x, bool there) = halves.Of(op, rows);
        if (there) return x.To;
        MatrixPointer from = arena[op.X];
        x.Kind = HalfMemory.KindOf(form);
        Add(op, "halve", "halve", Parts(op.X.Width, Columns * Threads), rows, Threads,
            new HalveArguments { Batch = table.Pointers, X = from, Half = x, Rows = domain, Wide = from.Data % 16 == 0 && from.Stride % 4 == 0 ? 1 : 0 });
        return x.To;
    }

    /// <summary>The weights as halves in the scratch, until the next product.</summary>
    private WeightPointer Dequantize(LinearOp op, WeightForm form)
    {
        const int Threads = 128;
        WeightPointer stored = weights[op.Weight];
        Add(op, PlanKernels.QuantizedModule(form), $"dequantize_{form.Kernels}", Parts(stored.Columns / 32, Threads), Math.Min(stored.Rows, ushort.MaxValue), Threads,
            new DequantizeArguments { From = stored, To = halves.Weights });
        return stored with { Data = halves.Weights, Scales = 0, Stride = stored.Columns * sizeof(ushort) };
    }

    /// <summary>The weights in parts, until the next product.</summary>
    private void Dequantize(LinearOp op, WeightForm form, PartedPointer to)
    {
        const int Threads = 128;
        WeightPointer stored = weights[op.Weight];
        Add(op, PlanKernels.QuantizedModule(form), $"dequantize_parts_{form.Kernels}", stored.Rows, 1, Threads, new DequantizeArguments { From = stored, Parts = to });
    }

    private void ByWgmma(LinearOp op, Factors factors, in LinearArguments arguments, int rows, TensorTile tile)
    {
        const int SumThreads = 256;
        WeightPointer w = arguments.Weights;
        HalfPointer x = factors.X;
        PartsPointer parts = SumsOf(w.Rows, rows, tile);
        var product = new WgmmaArguments
        {
            Linear = arguments,
            X = model.Kernels.Maps.Of(x.Data, halves.RowCount * tile.XParts, op.X.Width, x.Stride, tile.Rows, model.Stream),
            W = model.Kernels.Maps.Of(w.Data, w.Rows * tile.WParts, w.Columns, (int)(w.Stride / sizeof(ushort)), tile.Columns, model.Stream),
            Parts = parts,
            Scaled = factors.Scaled,
        };
        int tiles = Parts(rows, tile.Rows) * Parts(w.Rows, tile.Columns) * tile.Splits;
        Add(op, $"wgmma_{factors.Type}", $"matmul_{factors.Type}_wgmma_{tile.Columns}", Math.Min(tiles, model.Kernels.MultiProcessors), 1, tile.Threads, product, tile.SharedBytes);
        if (tile.Splits > 1) Add(op, "halve", "sum_parts", Parts(w.Rows, SumThreads), rows, SumThreads, new PartsArguments { Linear = arguments, Parts = parts });
    }

    private void ByNarrow(LinearOp op, Factors factors, in LinearArguments arguments, int rows, TensorTile tile, ulong notFinite)
    {
        HalfPointer half = arguments.Half.To;
        int outputs = arguments.Weights.Rows;
        var product = new TensorArguments
        {
            Linear = arguments,
            X = factors.X,
            Parts = SumsOf(outputs, rows, tile),
            RowTiles = Parts(rows, tile.Rows),
            Stored = factors.Stored ? 1 : 0,
            Wide = outputs % 4 == 0 && arguments.Y.IsWide && arguments.AddTo.IsWide && half.Data % 8 == 0 && half.Stride % 4 == 0 ? 1 : 0,
            Arrived = halves.Arrived,
            NotFinite = notFinite,
        };
        Add(op, $"narrow_{factors.Type}", NameOf(factors.Type, tile), Parts(outputs, tile.Columns), product.RowTiles * tile.Splits, tile.Threads, product, tile.SharedBytes);
    }

    private void ByMma(LinearOp op, Factors factors, in LinearArguments arguments, int rows, TensorTile tile) =>
        Add(op, $"tensor_{factors.Type}", NameOf(factors.Type, tile), Parts(arguments.Weights.Rows, tile.Columns), Parts(rows, tile.Rows), tile.Threads,
            new TensorArguments { Linear = arguments, X = factors.X, Scaled = factors.Scaled }, tile.SharedBytes);

    private static string NameOf(string type, TensorTile tile) => $"matmul_{type}_{tile.Rows}x{tile.Columns}";

    /// <summary>Quantized weights become F16.</summary>
    private static string TypeOf(WeightForm form) => form.IsHalf ? form.Kernels : "F16";

    private void Add<TArguments>(LinearOp op, string module, string kernel, long gridX, long gridY, int threads, in TArguments arguments, int sharedBytes = 0) where TArguments : unmanaged =>
        launches.Add(op.Name, model.Kernels.Function(module, kernel, sharedBytes), gridX, gridY, threads, arguments, sharedBytes);
}
