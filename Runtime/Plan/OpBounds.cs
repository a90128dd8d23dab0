using MambaRT.Formats;

namespace MambaRT.Plans;

/// <summary>How near the reference backend another must come in one op: normalised mean square errors, Σ(a−b)² / Σb².</summary>
internal static class OpBounds
{
    /// <summary>Values are copied or decoded, and decoding is defined bit by bit.</summary>
    public const double Exact = 0;

    /// <summary>
    /// Float32 sums of up to some thousand terms in any order, and vector exponentials, err by about 1e-6 of the result (1e-12 squared);
    /// two digits are left for cancellation.
    /// </summary>
    public const double Floats = 1e-10;

    /// <summary>
    /// Inputs may be rounded to 8 bits per 32 values: a step of max/127 errs by 0.4 % rms of evenly spread inputs, 1.5e-5 squared; six times that
    /// where inputs or products are far from even.
    /// </summary>
    public const double RoundedInputs = 1e-4;

    /// <summary>In products of many rows inputs may be rounded to F16 beside such weights, by up to 2^-11: 4e-8 measured over evenly spread inputs; sums are float32.</summary>
    public const double HalfInputs = 1e-7;

    /// <summary>In products of many rows inputs may be rounded to BF16 beside such weights, by up to 2^-8, eight times as far: 64 times the error of F16.</summary>
    public const double BfloatInputs = 3e-6;

    /// <summary>The bound of an op whose inputs are the reference's own.</summary>
    /// <param name="op">An op of <paramref name="plan"/>.</param>
    /// <param name="plan">Says which weights it reads.</param>
    /// <param name="weights">Say of which type they are.</param>
    public static double Of(Op op, Plan plan, IWeightSource weights) => op switch
    {
        EmbedOp or SelectOutputsOp => Exact,
        LinearOp linear when weights.TryGet(plan.Weights[linear.Weight.Index].Name, out TensorView view) && view.Type.BlockLength > 1 => RoundedInputs,
        _ => Floats,
    };
}
