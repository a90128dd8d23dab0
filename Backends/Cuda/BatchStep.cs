namespace MambaRT.Backends.Cuda;

/// <summary>The kernels of batch_step.h and batch_boxes.h: a product of a step of some dozens of sequences, with the convolution of some of its outputs.</summary>
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
        int shared = shape.SharedBytes(convolves: group.Conv is not null);
        if (!shape.IsByBoxes) Launch($"_{shape.Rows}x{BatchStepShape.Outputs}", arguments);
        else
        {
            WeightPointer w = arguments.Product.Linear.Weights;
            HalfPointer x = arguments.Product.X;
            Launch($"_{shape.Rows}", new BatchBoxesArguments
            {
                Step = arguments,
                X = model.Kernels.Maps.Of(x.Data, halves.RowCount, linear.X.Width, x.Stride, shape.Rows, model.Stream),
                W = model.Kernels.Maps.Of(w.Data, w.Rows, w.Columns, (int)(w.Stride / sizeof(ushort)), BatchStepShape.Outputs, model.Stream),
                Stages = shape.Stages,
            });
        }

        void Launch<T>(string sizes, in T all) where T : unmanaged
        {
            string module = Module(weights.FormOf(linear.Weight), shape.IsByBoxes);
            launches.Add(linear.Name, model.Kernels.Function(module, module + sizes, shared), shape.Blocks, shape.Splits, shape.Threads, all, shared);
        }
    }

    /// <summary>The modules for a form.</summary>
    /// <param name="form">Of the weights.</param>
    /// <param name="wgmma">Whether the device multiplies boxes.</param>
    public static IEnumerable<string> Modules(WeightForm form, bool wgmma) => form.IsHalf ? [Module(form, wgmma)] : [];

    private static string Module(WeightForm form, bool byBoxes) => $"{(byBoxes ? "batch_boxes" : "batch_step")}_{form.Kernels}";

    private BatchStepShape? ShapeOf(LinearOp linear)
    {
        bool takes = bucket.Single && model.HasTensorCores && !model.IsExact && weights.FormOf(linear.Weight).IsHalf
            && linear.X.Rows == RowDomain.Tokens && linear.X.Width % 8 == 0 && linear.Output.Width % 4 == 0;
        if (!takes) return null;
        KernelLibrary kernels = model.Kernels;
        if (kernels.HasWgmma) return linear.X.Offset % 8 == 0 ? BatchStepShape.ByBoxes(bucket.Rows, linear.Output.Width, linear.X.Width, kernels.MultiProcessors, kernels.MostSharedBytes) : null;
        return BatchStepShape.For(bucket.Rows, linear.Output.Width, linear.X.Width, kernels.MultiProcessors, kernels.MostSharedBytes);
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
