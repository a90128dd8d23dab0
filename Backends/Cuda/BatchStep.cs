namespace MambaRT.Backends.Cuda;

/// <summary>The kernels of batch_step.h: a product of a step of some dozens of sequences, with the convolution of some of its outputs.</summary>
internal sealed class BatchStep(CudaModel model, DeviceWeights weights, ArenaMemory arena, BatchTable table, HalfMemory halves, Bucket bucket, LaunchList launches)
{
    private const int MostTaps = 4;

    /// <summary>Whether there is one for a group's product and what follows it.</summary>
    public bool Takes(StepGroup group)
    {
        if (group is not { Linear: { } linear, Select: null, Scan: null } || ShapeOf(linear) is null) return false;
        if (group.Conv is { } conv && !CanConvolve(linear, conv)) return false;
        MatrixPointer addTo = linear.AddTo is Activation residual ? arena[residual] : default;
        RoundingPointer half = halves.Rounding(linear.Output, bucket.Rows);
        return halves.Of(linear, bucket.Rows).AreThere && arena[linear.Output].IsWide && addTo.IsWide && half.To.Data % 8 == 0 && half.To.Stride % 4 == 0;
    }

    /// <summary>Adds it; what goes before the product is there.</summary>
    public void Add(StepGroup group)
    {
        LinearOp linear = group.Linear!;   // as it was taken
        BatchStepShape shape = ShapeOf(linear)!.Value;   // as above
        BatchStepArguments arguments = Arguments(linear, shape);
        if (group.Conv is { } conv) Convolve(linear, conv, ref arguments);
        string module = $"batch_step_{weights.FormOf(linear.Weight).Kernels}", kernel = $"{module}_{shape.Rows}x{BatchStepShape.Outputs}";
        int shared = shape.SharedBytes(convolves: group.Conv is not null);
        launches.Add(linear.Name, model.Kernels.Function(module, kernel, shared), shape.Blocks, shape.Splits, BatchStepShape.Threads, arguments, shared);
    }

    /// <summary>The modules for a form.</summary>
    public static IEnumerable<string> Modules(WeightForm form) => form.IsHalf ? [$"batch_step_{form.Kernels}"] : [];

    private BatchStepShape? ShapeOf(LinearOp linear)
    {
        bool takes = bucket.Single && model.HasTensorCores && !model.IsExact && weights.FormOf(linear.Weight).IsHalf
            && linear.X.Rows == RowDomain.Tokens && linear.X.Width % 8 == 0 && linear.Output.Width % 4 == 0;
        return takes ? BatchStepShape.For(bucket.Rows, linear.Output.Width, linear.X.Width, model.Kernels.MultiProcessors, model.Kernels.MostSharedBytes) : null;
    }

    private bool CanConvolve(LinearOp linear, CausalConvOp conv) =>
        conv.DConv == MostTaps && (conv.X.Offset - linear.Output.Offset) % 4 == 0 && conv.X.Width % 4 == 0 && Window(conv) % 4 == 0 && arena[conv.Output].IsWide;

    private long Window(CausalConvOp conv) => model.Plan.States.Entries[conv.Window.Index].CanonicalOffset;

    private BatchStepArguments Arguments(LinearOp linear, BatchStepShape shape)
    {
        int outputs = linear.Output.Width;
        return new BatchStepArguments
        {
            Product = new TensorArguments
            {
                Linear = new LinearArguments
                {
                    Batch = table.Pointers,
                    Weights = weights[linear.Weight],
                    X = arena[linear.X],
                    AddTo = linear.AddTo is Activation residual ? arena[residual] : default,
                    Y = arena[linear.Output],
                    Bias = weights.Vector(linear.Bias),
                    Scale = linear.Scale,
                    Half = halves.Rounding(linear.Output, bucket.Rows),
                },
                X = halves.Of(linear, bucket.Rows).Halves.To,
                Parts = new PartsPointer { Data = halves.Parts, Rows = shape.Rows, Stride = outputs, Splits = shape.Splits },
                Arrived = halves.Arrived,
            },
        };
    }

    private void Convolve(LinearOp linear, CausalConvOp conv, ref BatchStepArguments arguments)
    {
        arguments.U = arena[conv.Output];
        arguments.Half = halves.Rounding(conv.Output, bucket.Rows);
        arguments.Taps = weights.Vector(conv.Weight);
        arguments.TapBias = weights.Vector(conv.Bias);
        arguments.Window = Window(conv);
        arguments.First = conv.X.Offset - linear.Output.Offset;
        arguments.Count = conv.X.Width;
    }
}
