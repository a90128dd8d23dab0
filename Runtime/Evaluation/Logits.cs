using System.Runtime.Intrinsics;

namespace MambaRT.Evaluation;

/// <summary>What is computed of rows of logits.</summary>
internal static class Logits
{
    /// <summary>Whether no logit is NaN or infinite.</summary>
    public static bool AreFinite(ReadOnlySpan<float> logits)
    {
        int i = 0;
        for (; i + Vector256<float>.Count <= logits.Length; i += Vector256<float>.Count)
        {
            Vector256<float> x = Vector256.Create(logits[i..]);
            if (!Vector256.EqualsAll(x - x, Vector256<float>.Zero)) return false;
        }
        for (; i < logits.Length; i++)
            if (!float.IsFinite(logits[i])) return false;
        return true;
    }

    /// <summary>The most likely token, of equals the lowest id.</summary>
    public static int Best(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
            if (row[i] > row[best]) best = i;
        return best;
    }

    /// <summary>The largest distance of two logits of one token.</summary>
    public static float LargestDistance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector256<float> largest = default;
        int i = 0;
        for (; i + Vector256<float>.Count <= a.Length; i += Vector256<float>.Count)
            largest = Vector256.Max(largest, Vector256.Abs(Vector256.Create(a[i..]) - Vector256.Create(b[i..])));
        float rest = 0;
        for (int lane = 0; lane < Vector256<float>.Count; lane++) rest = Math.Max(rest, largest[lane]);
        for (; i < a.Length; i++) rest = Math.Max(rest, Math.Abs(a[i] - b[i]));
        return rest;
    }

    /// <summary>Kullback–Leibler divergence KL(P ‖ Q) = Σ p (ln p − ln q) of the softmax of two rows, in nats, in double precision.</summary>
    /// <param name="p">Logits of P, finite.</param>
    /// <param name="pLogSum"><see cref="LogProbs.LogSum"/> of <paramref name="p"/>.</param>
    /// <param name="q">Logits of Q, finite and as many.</param>
    /// <param name="qLogSum"><see cref="LogProbs.LogSum"/> of <paramref name="q"/>.</param>
    public static double Divergence(ReadOnlySpan<float> p, double pLogSum, ReadOnlySpan<float> q, double qLogSum)
    {
        Vector256<double> sums = default, pSum = Vector256.Create(pLogSum), shift = Vector256.Create(qLogSum - pLogSum);
        int i = 0;
        for (; i + Vector256<float>.Count <= p.Length; i += Vector256<float>.Count)
        {
            (Vector256<double> pLow, Vector256<double> pHigh) = Vector256.Widen(Vector256.Create(p[i..]));
            (Vector256<double> qLow, Vector256<double> qHigh) = Vector256.Widen(Vector256.Create(q[i..]));
            sums += Vector256.Exp(pLow - pSum) * (pLow - qLow + shift) + Vector256.Exp(pHigh - pSum) * (pHigh - qHigh + shift);
        }
        double sum = Vector256.Sum(sums);
        for (; i < p.Length; i++) sum += Math.Exp(p[i] - pLogSum) * ((double)p[i] - q[i] + (qLogSum - pLogSum));
        // A divergence is never negative; the rounding of nearly equal rows may be.
        return Math.Max(0, sum);
    }
}
