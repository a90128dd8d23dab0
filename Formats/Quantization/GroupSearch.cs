using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>Finds the scales of a block whose groups have whole-numbered scales of their own, which share a half-precision one.</summary>
/// <remarks>
/// Each group's best scale is rounded to a multiple of the shared one; then, as that rounding moves the best choice, neighbouring codes are tried by
/// their exact error, and the shared scales are fitted anew by least squares, as long as the error falls.
/// </remarks>
internal static class GroupSearch
{
    /// <summary>Rounds of fitting; the third gains less than a thousandth.</summary>
    private const int Rounds = 2;

    /// <summary>Codes c and d of x ≈ d · c · level, groups one after the other.</summary>
    /// <param name="x">The block.</param>
    /// <param name="w">Weights, as many, or none.</param>
    /// <param name="lowest">The lowest code, negative; the highest is −lowest − 1.</param>
    /// <param name="codes">One code for each group, written.</param>
    /// <returns>d.</returns>
    public static Half Scales<TLevels>(ReadOnlySpan<float> x, ReadOnlySpan<float> w, int lowest, Span<int> codes) where TLevels : struct, ILevelGrid
    {
        int length = x.Length / codes.Length;
        Span<float> scales = stackalloc float[codes.Length];
        ScaleSearch.Scales<TLevels>(x, w, scales);
        float largest = ScaleSearch.Largest(scales);
        Half best = (Half)(largest / lowest);
        if (best == (Half)0)
        {
            codes.Clear();
            return best;
        }
        for (int g = 0; g < codes.Length; g++)
            codes[g] = (int)Math.Clamp(MathF.Round(scales[g] / (float)best), lowest, -lowest - 1);

        float least = float.PositiveInfinity;
        Half d = best;
        Span<int> tried = stackalloc int[codes.Length];
        codes.CopyTo(tried);
        for (int round = 0; round < Rounds; round++)
        {
            float error = 0, xa = 0, aa = 0;
            for (int g = 0; g < tried.Length; g++)
                error += Refine<TLevels>(x.Slice(g * length, length), Part(w, g, length), (float)d, lowest, ref tried[g], ref xa, ref aa);
            if (!(error < least)) break;
            (least, best) = (error, d);
            tried.CopyTo(codes);
            if (aa == 0 || (Half)(xa / aa) is var fitted && (fitted == d || fitted == (Half)0)) break;
            d = fitted;
        }
        return best;
    }

    /// <summary>Codes s and m, both 0 to <paramref name="highestCode"/>, of x ≈ d · s · q − dmin · m for whole q from 0 to <paramref name="high"/>.</summary>
    public static (Half D, Half DMin) ScalesAndMinima(ReadOnlySpan<float> x, ReadOnlySpan<float> w, int high, int highestCode, Span<int> s, Span<int> m)
    {
        int length = x.Length / s.Length;
        Span<float> scales = stackalloc float[s.Length], minima = stackalloc float[s.Length];
        ScaleSearch.ScalesAndOffsets(x, w, high, offsetAtMostZero: true, scales, minima);
        float largestScale = 0, largestMinimum = 0;
        for (int g = 0; g < scales.Length; g++)
        {
            minima[g] = -minima[g];
            largestScale = Math.Max(largestScale, scales[g]);
            largestMinimum = Math.Max(largestMinimum, minima[g]);
        }
        var shared = (D: (Half)(largestScale / highestCode), DMin: (Half)(largestMinimum / highestCode));
        for (int g = 0; g < scales.Length; g++)
        {
            s[g] = Code(scales[g], shared.D, highestCode);
            m[g] = Code(minima[g], shared.DMin, highestCode);
        }

        float least = float.PositiveInfinity;
        (Half D, Half DMin) best = shared;
        Span<int> trialS = stackalloc int[s.Length], trialM = stackalloc int[s.Length];
        s.CopyTo(trialS);
        m.CopyTo(trialM);
        for (int round = 0; round < Rounds; round++)
        {
            float error = 0;
            PairSums sums = default;
            for (int g = 0; g < trialS.Length; g++)
                error += Refine(x.Slice(g * length, length), Part(w, g, length), (float)shared.D, (float)shared.DMin, high, highestCode, ref trialS[g], ref trialM[g], ref sums);
            if (!(error < least)) break;
            (least, best) = (error, shared);
            trialS.CopyTo(s);
            trialM.CopyTo(m);
            shared = sums.Solve(shared);
            if (shared == best) break;
        }
        return best;
    }

    private static int Code(float value, Half unit, int highest) =>
        unit == (Half)0 ? 0 : (int)Math.Clamp(MathF.Round(value / (float)unit), 0, highest);

    /// <summary>The weights of a group, or none.</summary>
    private static ReadOnlySpan<float> Part(ReadOnlySpan<float> w, int group, int length) => w.IsEmpty ? w : w.Slice(group * length, length);

    /// <summary>Tries the eight codes around one, takes the best, and adds up what the shared scale's fit needs.</summary>
    /// <returns>The group's error less Σ w x², which is the same for every choice.</returns>
    private static float Refine<TLevels>(ReadOnlySpan<float> x, ReadOnlySpan<float> w, float d, int lowest, ref int code, ref float xa, ref float aa) where TLevels : struct, ILevelGrid
    {
        Vector256<float> codes = Vector256.Create((float)code) + Vector256.Create(-4f, -3, -2, -1, 0, 1, 2, 3);
        codes = Vector256.Min(Vector256.Max(codes, Vector256.Create((float)lowest)), Vector256.Create(-lowest - 1f));
        Vector256<float> scale = codes * d, inverse = Inverse(scale);
        (Vector256<float> xq, Vector256<float> qq) = w.IsEmpty ? Sums<TLevels, Alike>(x, w, inverse) : Sums<TLevels, Weighted>(x, w, inverse);
        Vector256<float> error = scale * (scale * qq - xq - xq);
        int best = ScaleSearch.Least(error);
        float chosen = codes[best];
        code = (int)chosen;
        xa += chosen * xq[best];
        aa += chosen * chosen * qq[best];
        return error[best];
    }

    /// <summary>Σ w x q and Σ w q² of eight inverse scales; even values and odd ones apart, as a sum waits for itself.</summary>
    private static (Vector256<float> Xq, Vector256<float> Qq) Sums<TLevels, TWeights>(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Vector256<float> inverse)
        where TLevels : struct, ILevelGrid where TWeights : struct, IWeighting
    {
        Vector256<float> xqA = default, qqA = default, xqB = default, qqB = default;
        for (int k = 1; k < x.Length; k += 2)
        {
            Vector256<float> valueA = Vector256.Create(x[k - 1]), valueB = Vector256.Create(x[k]);
            Vector256<float> qA = TLevels.Nearest(valueA, inverse), qB = TLevels.Nearest(valueB, inverse), wqA = TWeights.Weigh(w, k - 1, qA), wqB = TWeights.Weigh(w, k, qB);
            xqA = Vector256.FusedMultiplyAdd(wqA, valueA, xqA);
            qqA = Vector256.FusedMultiplyAdd(wqA, qA, qqA);
            xqB = Vector256.FusedMultiplyAdd(wqB, valueB, xqB);
            qqB = Vector256.FusedMultiplyAdd(wqB, qB, qqB);
        }
        return (xqA + xqB, qqA + qqB);
    }

    /// <summary>Tries pairs of codes around one, s ± 1 and m ± 2, takes the best, and adds up what the fit of the shared scales needs.</summary>
    private static float Refine(ReadOnlySpan<float> x, ReadOnlySpan<float> w, float d, float dmin, int high, int highestCode, ref int s, ref int m, ref PairSums sums) =>
        w.IsEmpty ? Refine<Alike>(x, w, d, dmin, high, highestCode, ref s, ref m, ref sums) : Refine<Weighted>(x, w, d, dmin, high, highestCode, ref s, ref m, ref sums);

    private static float Refine<TWeights>(ReadOnlySpan<float> x, ReadOnlySpan<float> w, float d, float dmin, int high, int highestCode, ref int s, ref int m, ref PairSums sums)
        where TWeights : struct, IWeighting
    {
        Vector256<float> around = Vector256.Create((float)s), below = Vector256.Create((float)m), highest = Vector256.Create((float)highestCode);
        Vector256<float> sA = Clamp(around + Vector256.Create(-1f, -1, -1, -1, -1, 0, 0, 0), highest), sB = Clamp(around + Vector256.Create(0f, 0, 1, 1, 1, 1, 1, 2), highest);
        Vector256<float> mA = Clamp(below + Vector256.Create(-2f, -1, 0, 1, 2, -2, -1, 0), highest), mB = Clamp(below + Vector256.Create(1f, 2, -2, -1, 0, 1, 2, 1), highest);
        Vector256<float> scaleA = sA * d, scaleB = sB * d, inverseA = Inverse(scaleA), inverseB = Inverse(scaleB), minA = mA * dmin, minB = mB * dmin;
        Vector256<float> errorA = default, qA = default, qqA = default, xqA = default, errorB = default, qB = default, qqB = default, xqB = default;
        float sumW = 0, sumWx = 0;
        for (int k = 0; k < x.Length; k++)
        {
            Vector256<float> value = Vector256.Create(x[k]), aboveA = value + minA, aboveB = value + minB;
            Vector256<float> nearA = ScaleSearch.Nearest(aboveA, inverseA, 0, high), nearB = ScaleSearch.Nearest(aboveB, inverseB, 0, high);
            Vector256<float> offA = Vector256.FusedMultiplyAdd(-nearA, scaleA, aboveA), offB = Vector256.FusedMultiplyAdd(-nearB, scaleB, aboveB);
            Vector256<float> wqA = TWeights.Weigh(w, k, nearA), wqB = TWeights.Weigh(w, k, nearB);
            errorA = Vector256.FusedMultiplyAdd(TWeights.Weigh(w, k, offA), offA, errorA);
            errorB = Vector256.FusedMultiplyAdd(TWeights.Weigh(w, k, offB), offB, errorB);
            qA += wqA;
            qB += wqB;
            qqA = Vector256.FusedMultiplyAdd(wqA, nearA, qqA);
            qqB = Vector256.FusedMultiplyAdd(wqB, nearB, qqB);
            xqA = Vector256.FusedMultiplyAdd(wqA, value, xqA);
            xqB = Vector256.FusedMultiplyAdd(wqB, value, xqB);
            sumW += TWeights.Of(w, k);
            sumWx += TWeights.Of(w, k) * x[k];
        }
        Vector256<float> better = Vector256.LessThan(errorB, errorA), error = Vector256.ConditionalSelect(better, errorB, errorA);
        int lane = ScaleSearch.Least(error);
        float newS = Vector256.ConditionalSelect(better, sB, sA)[lane], newM = Vector256.ConditionalSelect(better, mB, mA)[lane];
        float q = Vector256.ConditionalSelect(better, qB, qA)[lane], qq = Vector256.ConditionalSelect(better, qqB, qqA)[lane], xq = Vector256.ConditionalSelect(better, xqB, xqA)[lane];
        (s, m) = ((int)newS, (int)newM);
        sums = sums.Plus(new PairSums(newS * newS * qq, newS * newM * q, newM * newM * sumW, newS * xq, newM * sumWx));
        return error[lane];
    }

    private static Vector256<float> Clamp(Vector256<float> codes, Vector256<float> highest) => Vector256.Min(Vector256.Max(codes, Vector256<float>.Zero), highest);

    private static Vector256<float> Inverse(Vector256<float> scale) =>
        Vector256.ConditionalSelect(Vector256.Equals(scale, Vector256<float>.Zero), Vector256<float>.Zero, Vector256<float>.One / scale);

    /// <summary>Sums over a block of a = s · q and b = m, for the least squares of x ≈ d · a − dmin · b.</summary>
    private readonly record struct PairSums(float AA, float AB, float BB, float XA, float XB)
    {
        public PairSums Plus(PairSums other) => new(AA + other.AA, AB + other.AB, BB + other.BB, XA + other.XA, XB + other.XB);

        /// <summary>The fitted pair as halves, or the one given where there is none.</summary>
        public (Half D, Half DMin) Solve((Half D, Half DMin) present)
        {
            float determinant = AA * BB - AB * AB;
            float d = (XA * BB - XB * AB) / determinant, dmin = (XA * AB - XB * AA) / determinant;
            if (BB == 0) (d, dmin) = (XA / AA, 0);
            return float.IsFinite(d) && float.IsFinite(dmin) && (Half)d > (Half)0 && dmin >= 0 ? ((Half)d, (Half)dmin) : present;
        }
    }
}
