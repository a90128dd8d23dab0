using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>Elementary functions on eight floats at a time, within 2 ulp (softplus: 4) where the result is a normal float.</summary>
internal static class VectorMath
{
    private const float Log2E = 1.44269504088896341f;

    /// <summary>2^x; below −126 it returns 2^−126, which every use here treats as nothing. Source of the polynomial: exp2f in Cephes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp2(Vector256<float> x)
    {
        x = Vector256.Min(Vector256.Max(x, Vector256.Create(-126f)), Vector256.Create(127f));
        Vector256<float> whole = Vector256.Round(x), f = x - whole;
        Vector256<float> p = Vector256.Create(1.535336188319500e-4f);
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(1.339887440266574e-3f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(9.618437357674640e-3f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(5.550332471162809e-2f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(2.402264791363012e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(6.931472028550421e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256<float>.One);
        // p is in [0.7, 1.42]: adding to its exponent field cannot leave the normal range.
        return (p.AsInt32() + (Vector256.ConvertToInt32Native(whole) << 23)).AsSingle();
    }

    /// <summary>2^x for x of 0 or below, within 2e-7 of the result: what a decay needs, in two instructions less.</summary>
    /// <remarks>The polynomial is the minimax one of degree 5 on [−1/2, 1/2] with constant term 1: error 9e-8 before rounding.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Decay2(Vector256<float> x)
    {
        x = Vector256.Max(x, Vector256.Create(-126f));
        Vector256<float> whole = Vector256.Round(x), f = x - whole;
        Vector256<float> p = Vector256.Create(1.3264683188699527e-3f);
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(9.671516990958862e-3f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(5.550733923479637e-2f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(2.4022242013889014e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(6.9314697748877e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256<float>.One);
        return (p.AsInt32() + (Vector256.ConvertToInt32Native(whole) << 23)).AsSingle();
    }

    /// <summary>e^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x) => Exp2(x * Vector256.Create(Log2E));

    /// <summary>x / (1 + e^−x). e^−|x| is the square of e^−|x|/2, so that it fades through the subnormals instead of stopping at 2^−126.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Silu(Vector256<float> x)
    {
        Vector256<float> root = Exp2(Vector256.Abs(x) * Vector256.Create(-0.5f * Log2E)), e = root * root;
        Vector256<float> numerator = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), e, Vector256<float>.One);
        return x * (numerator / (Vector256<float>.One + e));
    }

    /// <summary>log(1 + e^x), and x itself above 20.</summary>
    /// <remarks>max(x, 0) + log1p(e^−|x|); log1p(e) = log(u)·e / (u − 1) with u = 1 + e keeps tiny e exact (Kahan).</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Softplus(Vector256<float> x)
    {
        Vector256<float> e = Exp(-Vector256.Abs(x)), u = Vector256<float>.One + e, d = u - Vector256<float>.One;
        Vector256<float> log1p = Vector256.ConditionalSelect(Vector256.Equals(d, Vector256<float>.Zero), e, Log1To2(u) * (e / d));
        Vector256<float> soft = Vector256.Max(x, Vector256<float>.Zero) + log1p;
        return Vector256.ConditionalSelect(Vector256.GreaterThan(x, Vector256.Create(20f)), x, soft);
    }

    /// <summary>log(u) for u in [1, 2]. Source of the polynomial: logf in Cephes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Log1To2(Vector256<float> u)
    {
        // Above √2 halve u and add log 2, so that m = u − 1 lies in [−0.29, 0.41].
        Vector256<float> high = Vector256.GreaterThan(u, Vector256.Create(1.41421356f));
        Vector256<float> m = Vector256.ConditionalSelect(high, u * Vector256.Create(0.5f), u) - Vector256<float>.One;
        Vector256<float> k = high & Vector256<float>.One;
        Vector256<float> p = Vector256.Create(7.0376836292e-2f);
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(-1.1514610310e-1f));
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(1.1676998740e-1f));
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(-1.2420140846e-1f));
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(1.4249322787e-1f));
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(-1.6668057665e-1f));
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(2.0000714765e-1f));
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(-2.4999993993e-1f));
        p = Vector256.FusedMultiplyAdd(p, m, Vector256.Create(3.3333331174e-1f));
        Vector256<float> square = m * m;
        Vector256<float> y = p * m * square;
        y = Vector256.FusedMultiplyAdd(k, Vector256.Create(-2.12194440e-4f), y);
        y = Vector256.FusedMultiplyAdd(square, Vector256.Create(-0.5f), y);
        return Vector256.FusedMultiplyAdd(k, Vector256.Create(0.693359375f), m + y);
    }

    /// <summary>The scalar twin of <see cref="Silu(Vector256{float})"/>, for tails.</summary>
    public static float Silu(float x) => (float)(x / (1 + Math.Exp(-(double)x)));

    /// <summary>The scalar twin of <see cref="Softplus(Vector256{float})"/>, for tails and single heads.</summary>
    public static float Softplus(float x) => x > 20 ? x : (float)Math.Log(1 + Math.Exp(x));
}
