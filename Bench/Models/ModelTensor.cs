using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>A tensor of a made model.</summary>
/// <param name="Weight">What the plan says of it.</param>
/// <param name="Dimensions">Sizes, fastest first.</param>
/// <param name="Content">What its values are like.</param>
internal sealed record ModelTensor(WeightSpec Weight, long[] Dimensions, TensorContent Content)
{
    /// <summary>All tensors of a model, in the order of the file: as the ops read them.</summary>
    /// <param name="architecture">Its network.</param>
    /// <param name="metadata">Its hyper-parameters.</param>
    /// <param name="plan">What <see cref="Architecture.Outline"/> recorded of them.</param>
    /// <exception cref="InvalidOperationException">No op reads one of the plan's weights.</exception>
    public static IReadOnlyList<ModelTensor> Of(Architecture architecture, GgufMetadata metadata, Plan plan)
    {
        var readers = new Readers(plan);
        plan.Visit(readers);
        foreach (WeightSpec weight in plan.Weights)
            if (!readers.Tensors.Exists(t => t.Weight.Name == weight.Name))
                throw new InvalidOperationException($"Architecture '{architecture.Id}' asks for tensor '{weight.Name}' and no op reads it; leave it out of the definition, or use it.");
        return readers.Tensors.ConvertAll(t => new ModelTensor(t.Weight, architecture.DimensionsOf(metadata, t.Weight), t.Content));
    }

    /// <summary>Tells by the op that reads a weight, and as what, which values it starts from.</summary>
    private sealed class Readers(Plan plan) : IScanContract
    {
        private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

        public List<(WeightSpec Weight, TensorContent Content)> Tensors { get; } = [];

        public void Embed(EmbedOp op) => Add(op.Table, TensorContent.Table);

        public void RmsNorm(RmsNormOp op) => Add(op.Weight, TensorContent.Ones);

        public void Linear(LinearOp op)
        {
            Add(op.Weight, TensorContent.Projection);
            Add(op.Bias, TensorContent.Zeros);
        }

        public void CausalConv(CausalConvOp op)
        {
            Add(op.Weight, TensorContent.Taps);
            Add(op.Bias, TensorContent.Zeros);
        }

        public void SelectiveScan(SelectiveScanOp op)
        {
            Add(op.DtBias, TensorContent.TimeStep);
            Add(op.A, TensorContent.Decay);
            Add(op.D, TensorContent.Ones);
        }

        public void SsdScan(SsdScanOp op)
        {
            Add(op.DtBias, TensorContent.TimeStep);
            Add(op.A, TensorContent.HeadDecay);
            Add(op.D, TensorContent.Ones);
        }

        public void GatedRmsNorm(GatedRmsNormOp op) => Add(op.Weight, TensorContent.Ones);

        public void SelectOutputs(SelectOutputsOp op)
        {
        }

        private void Add(WeightRef? weight, TensorContent content)
        {
            if (weight is WeightRef read && _seen.Add(plan.Weights[read.Index].Name)) Tensors.Add((plan.Weights[read.Index].Whole, content));
        }
    }
}
