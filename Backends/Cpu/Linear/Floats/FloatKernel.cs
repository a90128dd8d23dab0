using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Weights of a float type against float32 activations.</summary>
internal sealed unsafe class FloatKernel<TLoad>(TensorView weights) : FloatPanelKernel(weights) where TLoad : struct, IFloatLoad
{
    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch)
    {
        for (int i = 0; i < count; i++)
        {
            byte* w = Address + (begin + i) * Stride;
            if (rows == 1) y[i] = Dot(w, x.Values.Row(0), Columns);
            for (int t = 0; t < rows && rows > 1; t += 4) DotFour(w, x.Values, t, Math.Min(4, rows - t), Columns, y + t * count + i, count);
        }
    }

    protected override float* Row(int row, float* scratch)
    {
        byte* from = Address + row * Stride;
        int i = 0;
        for (; i + 8 <= Columns; i += 8) TLoad.Load8(from + i * TLoad.Bytes).Store(scratch + i);
        for (; i < Columns; i++) scratch[i] = TLoad.Load1(from + i * TLoad.Bytes);
        return scratch;
    }

    /// <summary>Up to four activation rows, so that weights are converted once for them; y[r·stride] for row r.</summary>
    private static void DotFour(byte* w, in Matrix x, int row, int height, int count, float* y, int stride)
    {
        float* xa = x.Row(row), xb = x.Row(row + Math.Min(1, height - 1)), xc = x.Row(row + Math.Min(2, height - 1)), xd = x.Row(row + Math.Min(3, height - 1));
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> v = TLoad.Load8(w + i * TLoad.Bytes);
            a = Vector256.FusedMultiplyAdd(v, Vector256.Load(xa + i), a);
            b = Vector256.FusedMultiplyAdd(v, Vector256.Load(xb + i), b);
            c = Vector256.FusedMultiplyAdd(v, Vector256.Load(xc + i), c);
            d = Vector256.FusedMultiplyAdd(v, Vector256.Load(xd + i), d);
        }
        float* sums = stackalloc float[4] { Vector256.Sum(a), Vector256.Sum(b), Vector256.Sum(c), Vector256.Sum(d) };
        for (; i < count; i++)
        {
            float v = TLoad.Load1(w + i * TLoad.Bytes);
            sums[0] += v * xa[i];
            sums[1] += v * xb[i];
            sums[2] += v * xc[i];
            sums[3] += v * xd[i];
        }
        for (int r = 0; r < height; r++) y[r * stride] = sums[r];
    }

    /// <summary>Four partial sums of eight lanes.</summary>
    private static float Dot(byte* w, float* x, int count)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i + 32 <= count; i += 32)
        {
            a = Vector256.FusedMultiplyAdd(TLoad.Load8(w + i * TLoad.Bytes), Vector256.Load(x + i), a);
            b = Vector256.FusedMultiplyAdd(TLoad.Load8(w + (i + 8) * TLoad.Bytes), Vector256.Load(x + i + 8), b);
            c = Vector256.FusedMultiplyAdd(TLoad.Load8(w + (i + 16) * TLoad.Bytes), Vector256.Load(x + i + 16), c);
            d = Vector256.FusedMultiplyAdd(TLoad.Load8(w + (i + 24) * TLoad.Bytes), Vector256.Load(x + i + 24), d);
        }
        float sum = Vector256.Sum(a + b + (c + d));
        for (; i < count; i++) sum += TLoad.Load1(w + i * TLoad.Bytes) * x[i];
        return sum;
    }
}
