using MambaRT.Formats;
using MambaRT.Tests;

namespace MambaRT.Bench.Kernels;

/// <summary>What a case moves and computes at the least.</summary>
/// <param name="Bytes">Weights, state, inputs and outputs, each once.</param>
/// <param name="Operations">Additions and multiplications; an exponential counts as one.</param>
/// <param name="Int8">Whether they may be of 8 bits: products with quantized weights.</param>
internal sealed record OpCost(double Bytes, double Operations, bool Int8)
{
    /// <summary>Counts a case over some rows.</summary>
    public static OpCost Of(string name, int rows)
    {
        using PreparedCase prepared = OpCases.ByName(name).Prepare();
        Plan plan = prepared.Plan;
        double bytes = plan.States.Bytes(0), operations = 0;
        bool int8 = false;
        foreach (Op op in plan.Ops)
        {
            if (op is EmbedOp or SelectOutputsOp) continue;
            bytes += (double)rows * sizeof(float) * (op.Output.Width + op.Inputs.Sum(x => x.Width));
            foreach (WeightRef weight in op.Weights) bytes += View(prepared, weight).Bytes;
            operations += (double)rows * OperationsOfARow(op, plan);
            if (op is LinearOp linear) int8 |= View(prepared, linear.Weight).Type.BlockLength > 1;
        }
        return new OpCost(bytes, operations, int8);
    }

    /// <summary>Seconds at the peaks of a machine.</summary>
    public double SecondsAtPeak(MachineRecord machine, int threads) =>
        Math.Max(Bytes / machine.ReadGBs[threads], Operations / (Int8 ? machine.Int8Gops : machine.Fp32Gflops)[threads]) / 1e9;

    private static double OperationsOfARow(Op op, Plan plan) => op switch
    {
        LinearOp linear => 2.0 * plan.Weights[linear.Weight.Index].Count,
        CausalConvOp conv => 2.0 * plan.Weights[conv.Weight.Index].Count,
        // Of each state: Δ·A, its exponential, the product and the sum with the input's, and a multiply-add for the output.
        SelectiveScanOp scan => 7.0 * plan.Weights[scan.A.Index].Count,
        // The decay is one a head.
        SsdScanOp scan => 5.0 * scan.X.Width * (scan.B.Width / scan.NGroups),
        // A square, a sum, the product with the scale and with the weight.
        RmsNormOp or GatedRmsNormOp => 4.0 * op.Output.Width,
        _ => throw new NotSupportedException($"What a row of {op.Kind} costs is not known; say it here."),
    };

    private static TensorView View(PreparedCase prepared, WeightRef weight) =>
        prepared.Plan.Weights[weight.Index].TryFind(prepared.Weights, out TensorView view) ? view
            : throw new InvalidOperationException($"Case weights lack '{prepared.Plan.Weights[weight.Index].Name}'.");
}
