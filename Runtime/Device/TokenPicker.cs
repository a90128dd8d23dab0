using System.Numerics;
using System.Runtime.Intrinsics;

namespace MambaRT.Devices;

/// <summary>Picks tokens on the host as <see cref="TokenPick"/> says: what a backend uses that cannot do it on its device, and the definition for those that can.</summary>
/// <remarks>One thread at a time; allocates nothing after the first pick for a vocabulary size.</remarks>
public sealed class TokenPicker
{
    /// <summary>log2 e as a float.</summary>
    public const float Log2E = 1.44269504f;

    /// <summary>Exponents of two below this have a weight of 0.</summary>
    private const float LeastExponent = -31;

    private ulong[] _keys = [];
    private int[] _ids = [];

    /// <summary>Picks a token.</summary>
    /// <param name="logits">One a token of the vocabulary.</param>
    /// <param name="pick">How; validated by who made the batch.</param>
    /// <param name="position">The position of the token being picked: the number of tokens before it.</param>
    /// <returns>The id, or -1 where every logit is NaN or −∞.</returns>
    public int Pick(ReadOnlySpan<float> logits, in TokenPick pick, long position)
    {
        int first = First(logits);
        if (first < 0 || pick.IsGreedy || pick.TopK == 1) return first;
        float max = Math.Min(logits[first], float.MaxValue);
        ReadOnlySpan<int> kept = Keep(logits, pick, max, out bool all);
        float scale = Scale(pick.Temperature);
        ulong sum = 0;
        int count = all ? logits.Length : kept.Length;
        for (int i = 0; i < count; i++) sum += Weight(logits[all ? i : kept[i]], max, scale);
        ulong rest = Math.BigMul(sum, CounterRandom.Next(pick.Seed, position), out _);
        for (int i = 0; i < count; i++)
        {
            int id = all ? i : kept[i];
            uint weight = Weight(logits[id], max, scale);
            if (weight > rest) return id;
            rest -= weight;
        }
        throw new InvalidOperationException("A draw passed the sum of its weights.");   // rest < sum, so some weight exceeds what is left of it
    }

    /// <summary>What a logit's distance from the largest is multiplied by at a temperature above 0; at the smallest of these it stays finite, so that the first token has a weight.</summary>
    public static float Scale(float temperature) => Math.Min(Log2E / temperature, float.MaxValue);

    /// <summary>The weight that a token must have to be kept by min-p; 0 keeps all.</summary>
    public static uint LeastWeight(float minP) => (uint)(minP * (double)(1 << 30));

    /// <summary>⌊2³⁰·exp2((logit − max)·scale)⌋, in operations that round alike everywhere: a subtraction, a product, a floor, six fused multiply-adds, a shift.</summary>
    /// <remarks>2^f on [0, 1] by a polynomial of degree 6, exact at both ends, less than 2e-7 of the weight off between, rounding included.</remarks>
    public static uint Weight(float logit, float max, float scale)
    {
        float x = (Math.Min(logit, float.MaxValue) - max) * scale;
        if (!(x >= LeastExponent)) return 0;
        float floor = MathF.Floor(x), f = x - floor;
        float y = MathF.FusedMultiplyAdd(0.00021880853455513716f, f, 0.0012391329510137439f);
        y = MathF.FusedMultiplyAdd(y, f, 0.009683567099273205f);
        y = MathF.FusedMultiplyAdd(y, f, 0.055481377989053726f);
        y = MathF.FusedMultiplyAdd(y, f, 0.24023012816905975f);
        y = MathF.FusedMultiplyAdd(y, f, 0.6931470036506653f);
        y = MathF.FusedMultiplyAdd(y, f, 1f);
        return (uint)(y * (1 << 30)) >> (int)-floor;
    }

    /// <summary>The largest logit's id, of equals the lowest; -1 where there is none above −∞.</summary>
    public static int First(ReadOnlySpan<float> logits)
    {
        float max = Largest(logits);
        if (float.IsNegativeInfinity(max)) return -1;
        int i = 0;
        Vector256<float> wanted = Vector256.Create(max);
        for (; i <= logits.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            uint equal = Vector256.Equals(Vector256.Create(logits[i..]), wanted).ExtractMostSignificantBits();
            if (equal != 0) return i + BitOperations.TrailingZeroCount(equal);
        }
        while (logits[i] != max) i++;
        return i;
    }

    private static float Largest(ReadOnlySpan<float> logits)
    {
        Vector256<float> none = Vector256.Create(float.NegativeInfinity), best = none;
        int i = 0;
        for (; i <= logits.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> v = Vector256.Create(logits[i..]);
            best = Vector256.ConditionalSelect(Vector256.GreaterThan(v, best), v, best);   // false for a NaN
        }
        float max = float.NegativeInfinity;
        for (int lane = 0; lane < Vector256<float>.Count; lane++) max = Math.Max(max, best[lane]);
        for (; i < logits.Length; i++)
            if (logits[i] > max) max = logits[i];
        return max;
    }

    /// <summary>The tokens that the filters leave, in order of id.</summary>
    private ReadOnlySpan<int> Keep(ReadOnlySpan<float> logits, in TokenPick pick, float max, out bool all)
    {
        bool topK = pick.TopK > 0 && pick.TopK < logits.Length, topP = pick.TopP is > 0 and < 1;
        uint least = LeastWeight(pick.MinP);
        all = !topK && !topP && least == 0;
        if (all) return default;
        if (_keys.Length < logits.Length) (_keys, _ids) = (new ulong[logits.Length], new int[logits.Length]);
        Span<ulong> order = topK ? _keys.AsSpan(0, pick.TopK) : _keys;
        ulong sum = 0;
        if (topK) TokenOrder.Select([], logits, order);
        else order = Weighty(logits, topP ? pick.TopP : 0, max, out sum);
        if (topP)
        {
            if (topK) foreach (ulong key in order) sum += Weight(logits[TokenOrder.Id(key)], max, Log2E);
            else order.Sort();
            order = order[..Covering(logits, order, Target(sum, pick.TopP), max)];
        }
        int count = 0;
        foreach (ulong key in order)
            if (Weight(logits[TokenOrder.Id(key)], max, Log2E) >= least) _ids[count++] = TokenOrder.Id(key);
        Span<int> kept = _ids.AsSpan(0, count);
        kept.Sort();
        return kept;
    }

    /// <summary>The keys of all tokens that have a weight and that top-p may need, not in order.</summary>
    /// <remarks>
    /// n tokens of less than (sum − target) / n each are less than what top-p leaves out; half of that is taken as the bar, so that the rounding of weights,
    /// which may differ from the order of logits in the last bits, cannot matter.
    /// </remarks>
    private Span<ulong> Weighty(ReadOnlySpan<float> logits, float topP, float max, out ulong sum)
    {
        sum = 0;
        foreach (float logit in logits) sum += Weight(logit, max, Log2E);
        ulong bar = topP == 0 ? 1 : (sum - Math.Min(sum, Target(sum, topP))) / (2 * (ulong)logits.Length);
        int count = 0;
        for (int id = 0; id < logits.Length; id++)
            if (Weight(logits[id], max, Log2E) is > 0 and uint weight && weight >= bar) _keys[count++] = TokenOrder.Key(logits[id], id);
        return _keys.AsSpan(0, count);
    }

    /// <summary>How many of the first sum to the target or more.</summary>
    private static int Covering(ReadOnlySpan<float> logits, ReadOnlySpan<ulong> order, ulong target, float max)
    {
        ulong covered = 0;
        for (int i = 0; i < order.Length; i++)
        {
            covered += Weight(logits[TokenOrder.Id(order[i])], max, Log2E);
            if (covered >= target) return i + 1;
        }
        return order.Length;
    }

    private static ulong Target(ulong sum, float topP) => (ulong)Math.Ceiling(topP * (double)sum);
}
