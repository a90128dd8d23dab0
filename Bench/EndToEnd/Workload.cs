using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>Bytes and operations that a model needs, whatever it runs on.</summary>
internal sealed class Workload
{
    private readonly double _rowInt8, _rowFloat, _outputInt8, _outputFloat;

    public Workload(GgufFile file, Plan plan)
    {
        var tensors = file.Tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
        var read = new HashSet<int>();
        foreach (Op op in plan.Ops)
        {
            if (op is EmbedOp) continue;   // one row of the table a token: nothing, unless the head reads it all
            foreach (WeightRef weight in op.Weights) read.Add(weight.Index);
            if (op is not LinearOp linear) continue;
            GgufTensorInfo info = tensors[plan.Weights[linear.Weight.Index].Name];
            double operations = 2.0 * plan.Weights[linear.Weight.Index].Count;
            bool isFloat = info.Type.BlockLength == 1;
            if (linear.X.Rows == RowDomain.Outputs) (isFloat ? ref _outputFloat : ref _outputInt8) += operations;
            else (isFloat ? ref _rowFloat : ref _rowInt8) += operations;
        }
        StateBytes = plan.States.Bytes(0);
        foreach (int index in read)
        {
            WeightSpec weight = plan.Weights[index];
            WeightBytes += tensors[weight.Name].Bytes / weight.TensorColumns * weight.Columns;
        }
        Model = new ModelRecord(
            file.Metadata.TryGetString("general.name") ?? plan.Architecture, plan.Architecture,
            file.Tensors.GroupBy(t => t.Type.Name).MaxBy(g => g.Sum(t => t.Dimensions.Aggregate(1L, (a, b) => a * b)))?.Key ?? "",
            file.Tensors.Sum(t => t.Dimensions.Aggregate(1L, (a, b) => a * b)), file.FileBytes, WeightBytes, StateBytes);
    }

    /// <summary>What is to be told of the model.</summary>
    public ModelRecord Model { get; }

    /// <summary>Bytes of weights that a run of the network reads.</summary>
    public long WeightBytes { get; }

    /// <summary>Bytes of one state.</summary>
    public long StateBytes { get; }

    /// <summary>Operations of the matrix products.</summary>
    /// <param name="rows">Tokens fed.</param>
    /// <param name="outputs">Rows of logits.</param>
    public double Operations(long rows, long outputs) => rows * (_rowInt8 + _rowFloat) + outputs * (_outputInt8 + _outputFloat);

    /// <summary>Seconds that the matrix products take at the machine's peaks, each at that of its type.</summary>
    /// <param name="rows">Tokens fed.</param>
    /// <param name="outputs">Rows of logits.</param>
    /// <param name="int8Gops">Peak for quantized weights.</param>
    /// <param name="fp32Gflops">Peak for float weights.</param>
    public double SecondsAtPeak(long rows, long outputs, double int8Gops, double fp32Gflops) =>
        ((rows * _rowInt8 + outputs * _outputInt8) / int8Gops + (rows * _rowFloat + outputs * _outputFloat) / fp32Gflops) / 1e9;
}
