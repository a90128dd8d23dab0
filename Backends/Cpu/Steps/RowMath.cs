using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
