using System.Buffers;
using System.Runtime.Intrinsics;

namespace MambaRT.Sampling;

/// <summary>
/// Natural logarithms of softmax probabilities, summed in double precision. A NaN logit counts as negative infinity. Thread-safe.
/// </summary>
public static class LogProbs
{
    /// <summary>Finds the most likely tokens, descending, ties by lower id.</summary>
    /// <param name="logits">One logit a token of the vocabulary.</param>
    /// <param name="ids">Receives the tokens; its length is how many are wanted.</param>
    /// <param name="logProbs">Receives ln p of each; as long as <paramref name="ids"/>.</param>
    /// <exception cref="ArgumentException">The outputs differ in length or are longer than the vocabulary.</exception>
    /// <exception cref="InvalidOperationException">Every logit is NaN or negative infinity.</exception>
    public static void Top(ReadOnlySpan<float> logits, Span<int> ids, Span<float> logProbs)
    {
        if (ids.Length != logProbs.Length || ids.Length > logits.Length)
            throw new ArgumentException(
                $"The top tokens need outputs of one length, at most the vocabulary's {logits.Length}; "
                + $"found {ids.Length} ids and {logProbs.Length} values.");
        if (ids.IsEmpty) return;

        var total = LogSum(logits);
        var rented = ArrayPool<ulong>.Shared.Rent(ids.Length);
        var best = rented.AsSpan(0, ids.Length);
        TokenOrder.Select([], logits, best);
        for (var i = 0; i < best.Length; i++)
        {
            ids[i] = TokenOrder.Id(best[i]);
            logProbs[i] = (float)(Clean(TokenOrder.Logit(best[i])) - total);
        }

        ArrayPool<ulong>.Shared.Return(rented);
    }

    /// <summary>Computes ln p of one token.</summary>
    /// <param name="logits">One logit a token of the vocabulary.</param>
    /// <param name="token">The token.</param>
    /// <returns>ln p, at most 0; negative infinity for a token that cannot be picked.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The token lies outside the vocabulary.</exception>
    /// <exception cref="InvalidOperationException">Every logit is NaN or negative infinity.</exception>
    public static float Of(ReadOnlySpan<float> logits, int token)
    {
        if ((uint)token >= (uint)logits.Length)
            throw new ArgumentOutOfRangeException(
                nameof(token), token, $"Token {token} lies outside the vocabulary of {logits.Length} logits.");
        return (float)(Clean(logits[token]) - LogSum(logits));
    }

    /// <summary>ln of the sum of e^logit, the largest logit taken out first.</summary>
    /// <exception cref="InvalidOperationException">Every logit is NaN or negative infinity.</exception>
    internal static double LogSum(ReadOnlySpan<float> logits)
    {
        var largest = Vector256.Create(float.NegativeInfinity);
        var i = 0;
        for (; i + Vector256<float>.Count <= logits.Length; i += Vector256<float>.Count)
            largest = Vector256.Max(largest, Clean(Vector256.Create(logits[i..])));
        var max = double.NegativeInfinity;
        for (var lane = 0; lane < Vector256<float>.Count; lane++) max = Math.Max(max, largest[lane]);
        for (; i < logits.Length; i++) max = Math.Max(max, Clean(logits[i]));
        if (double.IsNegativeInfinity(max))
            throw new InvalidOperationException(
                "Probabilities need at least one logit above negative infinity; found none. Check the model's weights.");
        var sums = Vector256<double>.Zero;
        for (i = 0; i + Vector256<float>.Count <= logits.Length; i += Vector256<float>.Count)
        {
            var (low, high) = Vector256.Widen(Clean(Vector256.Create(logits[i..])));
            sums += Vector256.Exp(low - Vector256.Create(max)) + Vector256.Exp(high - Vector256.Create(max));
        }

        var sum = Vector256.Sum(sums);
        for (; i < logits.Length; i++) sum += Math.Exp(Clean(logits[i]) - max);
        return max + Math.Log(sum);
    }

    private static Vector256<float> Clean(Vector256<float> logits) => Vector256.ConditionalSelect(
        Vector256.Equals(logits, logits), Vector256.Min(logits, Vector256.Create(float.MaxValue)), Vector256.Create(float.NegativeInfinity));

    private static double Clean(float logit) =>
        float.IsNaN(logit) ? double.NegativeInfinity : Math.Min(logit, float.MaxValue);
}
