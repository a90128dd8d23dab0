namespace MambaRT.Backends.Cpu;

/// <summary><see cref="RmsNormOp"/>: a unit is a row; the row is also quantized where a projection reads it so.</summary>
internal sealed unsafe class RmsNormStep(FiniteWeights finite, BatchRows rows, RowDomain domain, Matrix x, float* weight, float epsilon, Matrix y) : Step, IQuantizingStep
{
    public QuantizedRows? Quantized { get; set; }

    public override int Units => rows.Count(domain);

    public override void Run(int unit, int member)
    {
        float* from = x.Row(unit), to = y.Row(unit);
        float sum = RowMath.SumOfSquares(from, x.Width), scale = 1 / MathF.Sqrt(sum / x.Width + epsilon);
        if (!float.IsFinite(sum)) throw finite.Overflow(Name);
        RowMath.Scale(from, weight, scale, to, x.Width);
        Quantized?.Fill(unit, 1, y, 0, y.Width);
    }
}
