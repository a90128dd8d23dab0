using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>Elementary functions on eight floats at a time, within 6e-6 of the result where it is a normal float: e^−80 keeps that much of its argument.</summary>
/// <remarks>NaN stays NaN: of two arguments the native maximum and minimum of x64 return the second where one is NaN, so x stands there.</remarks>
internal static class VectorMath
{
    private const float Log2E = 1.44269504088896341f;

    /// <summary>1.5 · 2^23: added to a small float it rounds it to the nearest integer, ties to even, and leaves that in the lowest bits.</summary>
    private const float IntegerUnits = 12582912;

    /// <summary>2^x; 0 from −127 down and +∞ from 128 up. Source of the polynomial: exp2f in Cephes.</summary>
    /// <remarks>At the two limits nothing is left for the polynomial, which is 1 there: all mantissa bits are 0 under an exponent of all zeros or all ones.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp2(Vector256<float> x)
    {
        x = Vector256.MinNative(Vector256.Create(128f), Vector256.MaxNative(Vector256.Create(-127f), x));
        Vector256<float> shifted = x + Vector256.Create(IntegerUnits), f = x - (shifted - Vector256.Create(IntegerUnits));
        Vector256<float> p = Vector256.Create(1.535336188319500e-4f);
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(1.339887440266574e-3f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(9.618437357674640e-3f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(5.550332471162809e-2f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(2.402264791363012e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(6.931472028550421e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256<float>.One);
        // p is in [0.7, 1.42], and below 1 where the power rounds up to 128: the sum of the exponents stays within their field.
        return (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
    }

    /// <summary>2^x for x of 0 or below, within 2e-7 of the result where it is a normal float and 0 from −127 down: what a decay needs, in two instructions less.</summary>
    /// <remarks>The polynomial is the minimax one of degree 5 on [−1/2, 1/2] with constant term 1: error 9e-8 before rounding.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Decay2(Vector256<float> x)
    {
        x = Vector256.MaxNative(Vector256.Create(-127f), x);
        Vector256<float> shifted = x + Vector256.Create(IntegerUnits), f = x - (shifted - Vector256.Create(IntegerUnits));
        Vector256<float> p = Vector256.Create(1.3264683188699527e-3f);
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(9.671516990958862e-3f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(5.550733923479637e-2f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(2.4022242013889014e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256.Create(6.9314697748877e-1f));
        p = Vector256.FusedMultiplyAdd(p, f, Vector256<float>.One);
        return (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
    }

    /// <summary>x / (1 + e^−x). e^−|x| is the square of e^−|x|/2, so that it fades through the subnormals instead of stopping at 2^−126.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Silu(Vector256<float> x)
    {
        Vector256<float> root = Exp2(Vector256.Abs(x) * Vector256.Create(-0.5f * Log2E)), e = root * root;
        Vector256<float> numerator = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), e, Vector256<float>.One);
        return x * (numerator / (Vector256<float>.One + e));
    }

    /// <summary>log(1 + e^x), and x itself above 20.</summary>
    /// <remarks>max(x, 0) + log1p(e) with e = e^−|x|; log1p(e) = 2·artanh(s) with s = e / (2 + e) keeps tiny e exact. The polynomial is the minimax one of artanh(s) / s in s² ≤ 1/9.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Softplus(Vector256<float> x)
    {
        Vector256<float> e = Decay2(Vector256.Abs(x) * Vector256.Create(-Log2E)), s = e / (e + Vector256.Create(2f)), q = s * s;
        Vector256<float> p = Vector256.Create(1.408917281e-01f);
        p = Vector256.FusedMultiplyAdd(p, q, Vector256.Create(1.398030009e-01f));
        p = Vector256.FusedMultiplyAdd(p, q, Vector256.Create(2.001245524e-01f));
        p = Vector256.FusedMultiplyAdd(p, q, Vector256.Create(3.333315734e-01f));
        p = Vector256.FusedMultiplyAdd(p, q, Vector256.Create(1.000000004e+00f));
        Vector256<float> soft = Vector256.FusedMultiplyAdd(s + s, p, Vector256.MaxNative(Vector256<float>.Zero, x));
        return Vector256.ConditionalSelect(Vector256.GreaterThan(x, Vector256.Create(20f)), x, soft);
    }

    /// <summary>The scalar twin of <see cref="Silu(Vector256{float})"/>, for tails.</summary>
    public static float Silu(float x) => (float)(x / (1 + Math.Exp(-(double)x)));

    /// <summary>The scalar twin of <see cref="Softplus(Vector256{float})"/>, for tails and single heads.</summary>
    public static float Softplus(float x) => x > 20 ? x : (float)Math.Log(1 + Math.Exp(x));
}
