using System.Runtime.Intrinsics;
using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Backends.Cpu;

/// <summary>A float32 matrix window in the arena: row r begins at <c>Data + r·Stride</c>.</summary>
internal readonly unsafe struct Matrix(float* data, int stride, int width)
{
    public readonly float* Data = data;
    public readonly int Stride = stride;
    public readonly int Width = width;

    /// <summary>Bytes from one row to the next.</summary>
    public long RowBytes => (long)Stride * sizeof(float);

    public float* Row(int row) => Data + (long)row * Stride;
}

/// <summary><see cref="EmbedOp"/>: a unit is a row.</summary>
internal sealed class EmbedStep(BatchRows rows, TensorView table, Matrix y) : Step
{
    public override int Units => rows.Tokens;

    public override unsafe void Run(int unit, int member) => table.DecodeRow(rows.Token(unit), new Span<float>(y.Row(unit), y.Width));
}

/// <summary><see cref="SelectOutputsOp"/>: one unit, which copies the wanted rows.</summary>
internal sealed class SelectStep(BatchRows rows, Matrix x, Matrix y) : Step
{
    public override int Units => rows.Outputs == 0 ? 0 : 1;

    public override unsafe void Run(int unit, int member)
    {
        int next = 0;
        foreach (SequenceSpan span in rows.Spans)
            for (int i = span.Count - span.OutputCount; i < span.Count; i++)
                new ReadOnlySpan<float>(x.Row(span.Start + i), x.Width).CopyTo(new Span<float>(y.Row(next++), y.Width));
    }
}

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

/// <summary>Rows that no earlier step can quantize: the window of a projection's output that another projection reads.</summary>
internal sealed unsafe class QuantizeStep(BatchRows rows, RowDomain domain, Matrix x, QuantizedRows target) : Step
{
    public override int Units => rows.Count(domain);

    public override void Run(int unit, int member) => target.Fill(unit, 1, x, 0, x.Width);
}

/// <summary>A step whose output a projection may want in 8 bit: it quantizes while the values are in cache, and saves a barrier.</summary>
internal interface IQuantizingStep
{
    /// <summary>Where to put the 8-bit copy, or null.</summary>
    QuantizedRows? Quantized { get; set; }
}

/// <summary>Elementwise work on rows. Lanes are columns; tails go one by one.</summary>
internal static unsafe class RowMath
{
    /// <summary>Σ x², in four partial sums of eight lanes.</summary>
    public static float SumOfSquares(float* x, int count)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i + 32 <= count; i += 32)
        {
            Vector256<float> v0 = Vector256.Load(x + i), v1 = Vector256.Load(x + i + 8), v2 = Vector256.Load(x + i + 16), v3 = Vector256.Load(x + i + 24);
            a = Vector256.FusedMultiplyAdd(v0, v0, a);
            b = Vector256.FusedMultiplyAdd(v1, v1, b);
            c = Vector256.FusedMultiplyAdd(v2, v2, c);
            d = Vector256.FusedMultiplyAdd(v3, v3, d);
        }
        float sum = Vector256.Sum(a + b + (c + d));
        for (; i < count; i++) sum += x[i] * x[i];
        return sum;
    }

    /// <summary>y = x · scale (⊙ weight); y may be x.</summary>
    public static void Scale(float* x, float* weight, float scale, float* y, int count)
    {
        Vector256<float> s = Vector256.Create(scale);
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> v = Vector256.Load(x + i) * s;
            if (weight != null) v *= Vector256.Load(weight + i);
            v.Store(y + i);
        }
        for (; i < count; i++) y[i] = x[i] * scale * (weight != null ? weight[i] : 1);
    }

    /// <summary>y = x ⊙ silu(z).</summary>
    public static void Gate(float* x, float* z, float* y, int count)
    {
        int i = 0;
        for (; i + 8 <= count; i += 8) (Vector256.Load(x + i) * VectorMath.Silu(Vector256.Load(z + i))).Store(y + i);
        for (; i < count; i++) y[i] = x[i] * VectorMath.Silu(z[i]);
    }
}
