namespace MambaRT.Backends.Cuda;

/// <summary>
/// Room for activations as halves, for one matrix of weights that is not stored so, and for the sums of split products. A value that only products on tensor
/// cores read is written as halves by the op that makes it, and not as floats at all.
/// </summary>
internal sealed class HalfMemory : IDisposable
{
    /// <summary>Buffers of halves that the plans of today need at most; what tells the need of memory counts with it, nothing else.</summary>
    public const int MostBuffers = 3;

    /// <summary>Bytes of the sums of split products, and of what counts them.</summary>
    public const long PartsBytes = TensorTile.MostParts * sizeof(float) + TensorTile.MostSplitTiles * sizeof(int);

    private readonly Value?[] _values;
    private readonly List<CudaDeviceMemory> _buffers = [];
    private readonly CudaDeviceMemory? _weights, _parts;

    /// <summary>A register that products read as halves.</summary>
    private sealed class Value(HalfKind kind)
    {
        public HalfKind Kind { get; } = kind;
        public bool HasOtherReaders { get; set; }
        /// <summary>Whether products want different halves of it, so that each makes its own.</summary>
        public bool IsMixed { get; set; }
        public bool IsDelivered { get; set; }
        public int LastRead { get; set; }
        /// <summary>Rows up to which some op on the way goes without tensor cores.</summary>
        public int DirectRows { get; set; }
        public int Stride { get; set; }
        public int Buffer { get; set; }
    }

    public HalfMemory(Plan plan, DeviceWeights weights, BatchShape shape, CudaModel model)
    {
        RowCount = Math.Max(shape.Tokens, shape.Outputs);
        _values = new Value?[plan.Registers.Length];
        Split = new SplitMemory(plan, weights, model.IsExact, model.HasTensorCores ? RowCount : 0);
        if (!model.HasTensorCores || RowCount <= TensorProducts.LeastDirectRows) return;
        FindReaders(plan, weights, model.IsExact);
        FindMakers(plan, weights, model.IsExact);
        int[] strides = Place(plan);
        long matrix = 0;
        foreach (Op op in plan.Ops)
            if (ProductOn(op, weights, model.IsExact) is { } product && weights.FormOf(product.Weight).IsQuantized) matrix = Math.Max(matrix, (long)product.X.Width * product.Output.Width);
        try
        {
            foreach (int stride in strides) _buffers.Add(new CudaDeviceMemory((long)RowCount * stride * sizeof(ushort), "activations of 16 bits"));
            if (strides.Length > 0 || Split.Bytes > 0)
            {
                _parts = new CudaDeviceMemory(PartsBytes, "the parts of split products");
                model.Stream.Clear(Arrived, TensorTile.MostSplitTiles * sizeof(int));   // they count round
            }
            if (matrix > 0) _weights = new CudaDeviceMemory(matrix * sizeof(ushort), "weights of 16 bits");
        }
        catch
        {
            Dispose();
            throw;
        }
        WritesFloats = model.Observer is not null;
    }

    public long Bytes => _buffers.Sum(b => b.Bytes) + (_weights?.Bytes ?? 0) + (_parts?.Bytes ?? 0) + Split.Bytes;

    /// <summary>Room for factors in several halves.</summary>
    public SplitMemory Split { get; }

    /// <summary>Rows that there is room for.</summary>
    public int RowCount { get; }

    public ulong Weights => _weights?.Address ?? 0;

    /// <summary>Room for the sums of a product that is split.</summary>
    public ulong Parts => _parts?.Address ?? 0;

    /// <summary>How many blocks of each split tile are done, in 32 bits.</summary>
    public ulong Arrived => Parts + (ulong)(TensorTile.MostParts * sizeof(float));

    /// <summary>Whether floats are written even where no op reads them: somebody looks on.</summary>
    private bool WritesFloats { get; }

    /// <summary>What the op that makes a value has to round it to, for so many rows.</summary>
    public RoundingPointer Rounding(Activation output, int rows)
    {
        if (_values[output.Register] is not { IsDelivered: true } value || rows <= value.DirectRows) return default;
        return new RoundingPointer { To = Pointer(value, 0), Kind = value.Kind, Only = value.HasOtherReaders || WritesFloats ? 0 : 1 };
    }

    /// <summary>The halves of a product's input, and whether they are there already.</summary>
    public (RoundingPointer Halves, bool AreThere) Of(LinearOp op, int rows)
    {
        Value value = _values[op.X.Register] ?? throw new InvalidOperationException($"Op '{op.Name}' reads a value without room for halves.");
        bool there = value.IsDelivered && rows > value.DirectRows;
        return (new RoundingPointer { To = Pointer(value, there ? op.X.Offset : 0), Kind = value.Kind, Only = 1 }, there);
    }

    public void Dispose()
    {
        foreach (CudaDeviceMemory buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
        _weights?.Dispose();
        _parts?.Dispose();
        Split.Dispose();
    }

    private HalfPointer Pointer(Value value, int column) => new() { Data = _buffers[value.Buffer].Address + (ulong)column * sizeof(ushort), Stride = value.Stride };

    /// <summary>What products with weights of a form read.</summary>
    public static HalfKind KindOf(WeightForm form) => form.IsQuantized ? HalfKind.Rounded : form.Kernels == "BF16" ? HalfKind.Bfloat : HalfKind.Half;

    private void FindReaders(Plan plan, DeviceWeights weights, bool exact)
    {
        for (int i = 0; i < plan.Ops.Length; i++)
        {
            if (ProductOn(plan.Ops[i], weights, exact) is not { } product) continue;
            WeightForm form = weights.FormOf(product.Weight);
            Value value = _values[product.X.Register] ??= new Value(KindOf(form));
            value.LastRead = i;
            value.DirectRows = Math.Max(value.DirectRows, TensorProducts.DirectRows(form));
            value.IsMixed |= product.X.Offset % 8 != 0 || value.Kind != KindOf(form);
        }
        foreach (Op op in plan.Ops)
        {
            LinearOp? product = ProductOn(op, weights, exact);
            foreach (Activation input in op.Inputs)
                if ((input != product?.X || input == product.AddTo) && _values[input.Register] is { } read) read.HasOtherReaders = true;
        }
        foreach (Activation carried in plan.CarriedOut)
            if (_values[carried.Register] is { } handedOn) handedOn.HasOtherReaders = true;
    }

    /// <summary>The op where it is a product whose x is rounded to one half.</summary>
    private static LinearOp? ProductOn(Op op, DeviceWeights weights, bool exact) =>
        op is LinearOp linear && TensorProducts.CanTake(linear, weights.FormOf(linear.Weight)) && !HalfParts.For(weights.FormOf(linear.Weight), exact).AreSeveral ? linear : null;

    private void FindMakers(Plan plan, DeviceWeights weights, bool exact)
    {
        for (int i = 0; i < _values.Length; i++)
            if (_values[i] is { } any) any.Stride = (plan.Registers[i].Width + 7) / 8 * 8;
        foreach (Op op in plan.Ops)
        {
            if (_values[op.Output.Register] is not { } value) continue;
            LinearOp? product = ProductOn(op, weights, exact);
            if (product is not null) value.DirectRows = Math.Max(value.DirectRows, TensorProducts.DirectRows(weights.FormOf(product.Weight)));
            value.IsDelivered = !value.IsMixed && (HasWholeBlocks(op) || (value.Kind != HalfKind.Rounded && (product is not null || op is GatedRmsNormOp or SelectiveScanOp)));
        }
    }

    /// <summary>Whether the threads that make an op's output have the whole blocks of columns that are rounded to 8 bits together.</summary>
    private static bool HasWholeBlocks(Op op) =>
        op is RmsNormOp or CausalConvOp || (op is GatedRmsNormOp gated && gated.Output.Width / gated.NGroups % RoundedMemory.Block == 0);

    /// <summary>Values that never live at the same time share a buffer; not that of a product's input either, whose kernel makes what the op after it yields.</summary>
    /// <returns>Halves a row of each buffer.</returns>
    private int[] Place(Plan plan)
    {
        var strides = new List<int>();
        var busyUntil = new List<int>();
        foreach (Activation carried in plan.CarriedIn) Give(carried.Register, -1);
        for (int i = 0; i < plan.Ops.Length; i++) Give(plan.Ops[i].Output.Register, i);
        return [.. strides];

        void Give(int register, int i)
        {
            if (_values[register] is not { } value) return;
            int buffer = busyUntil.FindIndex(end => end < i - 1);
            if (buffer < 0)
            {
                buffer = strides.Count;
                strides.Add(0);
                busyUntil.Add(0);
            }
            (value.Buffer, busyUntil[buffer]) = (buffer, value.LastRead);
            strides[buffer] = Math.Max(strides[buffer], value.Stride);
        }
    }
}
