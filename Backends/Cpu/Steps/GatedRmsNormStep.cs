namespace MambaRT.Backends.Cpu;

/// <summary><see cref="GatedRmsNormOp"/>: a unit is a row.</summary>
internal sealed unsafe class GatedRmsNormStep(FiniteWeights finite, BatchRows rows, RowDomain domain, Matrix x, Matrix z, float* weight, int nGroups, float epsilon, Matrix y) : Step, IQuantizingStep
{
    public QuantizedRows? Quantized { get; set; }

    public override int Units => rows.Count(domain);

    public override void Run(int unit, int member)
    {
        float* to = y.Row(unit);
        int width = x.Width / nGroups;
        RowMath.Gate(x.Row(unit), z.Row(unit), to, x.Width);
        for (int g = 0; g < nGroups; g++)
        {
            float* part = to + g * width;
            float sum = RowMath.SumOfSquares(part, width), scale = 1 / MathF.Sqrt(sum / width + epsilon);
            if (!float.IsFinite(sum)) throw finite.Overflow(Name);
            RowMath.Scale(part, weight + g * width, scale, part, width);
        }
        Quantized?.Fill(unit, 1, y, 0, y.Width);
    }
}
