using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>Finds the scales, or the scales and offsets, that store groups of values with the least weighted squared error.</summary>
/// <remarks>
/// A candidate scale rounds every value to a level; for those levels the best scale follows by least squares, and with it the error. Eight groups are
/// searched at once, a lane each, so that nothing is summed across lanes: a group gets the same scale whatever lies beside it and on every machine.
/// </remarks>
internal static class ScaleSearch
{
    /// <summary>Groups searched at once.</summary>
    public const int Lanes = 8;

    /// <summary>Values in the longest group.</summary>
    private const int MaxLength = 32;

    /// <summary>Below this no half scale can stand for a value other than 0.</summary>
    private const float Smallest = 1e-7f;

    /// <summary>Values times <paramref name="inverse"/> as whole numbers from <paramref name="low"/> to <paramref name="high"/>; halves go to the even one.</summary>
    /// <remarks>
    /// Beside 1.5 · 2^23 floats are whole numbers, so adding it rounds, and a fused multiply-add multiplies as well. Products too large for that are still
    /// on the right side of the limits, which are taken while it is added.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> values, Vector256<float> inverse, float low, float high)
    {
        const float Whole = 1.5f * (1 << 23);
        Vector256<float> whole = Vector256.FusedMultiplyAdd(values, inverse, Vector256.Create(Whole));
        return Vector256.MinNative(Vector256.MaxNative(whole, Vector256.Create(Whole + low)), Vector256.Create(Whole + high)) - Vector256.Create(Whole);
    }

    /// <summary>The weights of blocks: the importance relative to its mean over the block; none where all values count alike.</summary>
    /// <param name="importance">The importance of each value, or empty.</param>
    /// <param name="weights">Room for as many weights as there are values.</param>
    /// <param name="length">Values in a block.</param>
    /// <remarks>A small share goes to every value, so that columns which no text ever used are still stored sensibly.</remarks>
    public static ReadOnlySpan<float> Weights(ReadOnlySpan<float> importance, Span<float> weights, int length)
    {
        for (int at = 0; at < importance.Length; at += length)
        {
            ReadOnlySpan<float> block = importance.Slice(at, length);
            float sum = 0;
            foreach (float value in block) sum += value;
            if (!(sum > 0) || !float.IsFinite(sum))
            {
                weights.Slice(at, length).Fill(1);
                continue;
            }
            float perMean = length / sum;
            for (int i = 0; i < length; i++) weights[at + i] = block[i] * perMean + 1e-4f;
        }
        return weights[..importance.Length];
    }

    /// <summary>The scale s of each group's x ≈ s · level; negative where the largest magnitude fits the lower end better.</summary>
    /// <param name="x">The groups, one after the other, of 16 or 32 values.</param>
    /// <param name="w">Their weights, or none.</param>
    /// <param name="scales">One for each group, written; 0 where all values are too small to be stored.</param>
    public static void Scales<TLevels>(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> scales) where TLevels : struct, ILevelGrid
    {
        int length = x.Length / scales.Length;
        Span<Vector256<float>> values = stackalloc Vector256<float>[MaxLength], weights = stackalloc Vector256<float>[MaxLength], found = stackalloc Vector256<float>[1];
        for (int first = 0; first < scales.Length; first += Lanes)
        {
            Span<float> these = scales[first..Math.Min(first + Lanes, scales.Length)];
            Turn(x.Slice(first * length, these.Length * length), these.Length, values[..length]);
            if (w.IsEmpty) found[0] = Scales<TLevels, Alike>(values[..length], default);
            else
            {
                Turn(w.Slice(first * length, these.Length * length), these.Length, weights[..length]);
                found[0] = Scales<TLevels, Weighted>(values[..length], weights[..length]);
            }
            MemoryMarshal.Cast<Vector256<float>, float>(found)[..these.Length].CopyTo(these);
        }
    }

    private static Vector256<float> Scales<TLevels, TWeights>(ReadOnlySpan<Vector256<float>> x, ReadOnlySpan<Vector256<float>> w)
        where TLevels : struct, ILevelGrid where TWeights : struct, IWeighting
    {
        (Vector256<float> min, Vector256<float> max) = Ends(x);
        Vector256<float> largest = Vector256.ConditionalSelect(Vector256.GreaterThan(-min, max), min, max);
        var fit = new ScaleFit<TLevels, TWeights>(x, w);
        // The largest value on the lowest level, a little below it, or cut off by up to a third; then on the highest; and around the best of the first.
        Vector256<float> low = Vector256.Create(TLevels.Low / 32) / largest, high = Vector256.Create(TLevels.High / 24) / largest;
        for (int i = 29; i < 45; i += 2) fit.Try(low * i, low * (i + 1f));
        Vector256<float> best = fit.Inverse, fine = best / 192;
        for (int i = 22; i < 30; i += 2) fit.Try(high * i, high * (i + 1f));
        for (float i = -3.5f; i < 4; i += 2) fit.Try(best + i * fine, best + (i + 1) * fine);
        return Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(Vector256.Abs(largest), Vector256.Create(Smallest)), fit.Scale, Vector256<float>.Zero);
    }

    /// <summary>The scale s and offset m of each group's x ≈ s · q + m, for whole q from 0 to <paramref name="high"/>.</summary>
    /// <param name="x">The groups, one after the other, of 16 or 32 values.</param>
    /// <param name="w">Their weights, or none.</param>
    /// <param name="high">The highest q.</param>
    /// <param name="offsetAtMostZero">Whether the format stores −m as a positive number.</param>
    /// <param name="scales">One for each group, written.</param>
    /// <param name="offsets">One for each group, written.</param>
    public static void ScalesAndOffsets(ReadOnlySpan<float> x, ReadOnlySpan<float> w, int high, bool offsetAtMostZero, Span<float> scales, Span<float> offsets)
    {
        int length = x.Length / scales.Length;
        Span<Vector256<float>> values = stackalloc Vector256<float>[MaxLength], weights = stackalloc Vector256<float>[MaxLength], found = stackalloc Vector256<float>[2];
        for (int first = 0; first < scales.Length; first += Lanes)
        {
            int count = Math.Min(Lanes, scales.Length - first);
            Turn(x.Slice(first * length, count * length), count, values[..length]);
            if (w.IsEmpty) (found[0], found[1]) = ScalesAndOffsets<Alike>(values[..length], default, high, offsetAtMostZero);
            else
            {
                Turn(w.Slice(first * length, count * length), count, weights[..length]);
                (found[0], found[1]) = ScalesAndOffsets<Weighted>(values[..length], weights[..length], high, offsetAtMostZero);
            }
            ReadOnlySpan<float> pairs = MemoryMarshal.Cast<Vector256<float>, float>(found);
            pairs[..count].CopyTo(scales[first..]);
            pairs.Slice(Lanes, count).CopyTo(offsets[first..]);
        }
    }

    private static (Vector256<float> Scale, Vector256<float> Offset) ScalesAndOffsets<TWeights>(ReadOnlySpan<Vector256<float>> x, ReadOnlySpan<Vector256<float>> w, int high, bool offsetAtMostZero)
        where TWeights : struct, IWeighting
    {
        (Vector256<float> min, Vector256<float> max) = Ends(x);
        if (offsetAtMostZero) min = Vector256.MinNative(min, Vector256<float>.Zero);
        Vector256<float> range = max - min, empty = Vector256.LessThan(range, Vector256.Create(Smallest));
        var fit = new OffsetFit<TWeights>(x, w, high, offsetAtMostZero, range / (float)high, min);
        // Room left at the ends, or the ends cut off; then around the best.
        for (int i = 0; i < 16; i += 2) fit.Try(Vector256.Create(high - 0.7f + 0.15f * i) / range, Vector256.Create(high - 0.55f + 0.15f * i) / range, min);
        Vector256<float> inverse = Vector256<float>.One / fit.Scale, offset = fit.Offset, fine = inverse * (0.15f / high);
        for (float i = -7.5f; i < 8; i += 2) fit.Try(inverse + i * fine, inverse + (i + 1) * fine, offset);
        Vector256<float> constant = offsetAtMostZero ? min : (max + min) * 0.5f;
        return (Vector256.ConditionalSelect(empty, Vector256<float>.Zero, fit.Scale), Vector256.ConditionalSelect(empty, constant, fit.Offset));
    }

    /// <summary>Lays groups side by side: value k of group g in lane g of vector k; lanes without a group hold zeros.</summary>
    private static void Turn(ReadOnlySpan<float> groups, int count, Span<Vector256<float>> lanes)
    {
        Span<float> cells = MemoryMarshal.Cast<Vector256<float>, float>(lanes);
        if (count < Lanes) cells.Clear();
        for (int g = 0; g < count; g++)
        {
            ReadOnlySpan<float> group = groups.Slice(g * lanes.Length, lanes.Length);
            for (int k = 0, to = g; k < group.Length; k++, to += Lanes) cells[to] = group[k];
        }
    }

    /// <summary>The level of each value, counted from 0: q of x ≈ scale · (low + q) + offset.</summary>
    /// <param name="x">The values, a multiple of eight.</param>
    /// <param name="scale">Their scale; 0 gives q = −low.</param>
    /// <param name="offset">Their offset.</param>
    /// <param name="low">The lowest level.</param>
    /// <param name="high">The highest level.</param>
    /// <param name="q">As many numbers, written.</param>
    public static void Quantize(ReadOnlySpan<float> x, float scale, float offset, int low, int high, Span<byte> q)
    {
        float inverse = scale == 0 ? 0 : 1 / scale;
        ReadOnlySpan<Vector256<float>> values = MemoryMarshal.Cast<float, Vector256<float>>(x);
        Span<ulong> packed = MemoryMarshal.Cast<byte, ulong>(q);
        for (int i = 0; i < values.Length; i++)
        {
            Vector256<float> levels = Nearest(values[i] - Vector256.Create(offset), Vector256.Create(inverse), low, high) - Vector256.Create((float)low);
            packed[i] = Bytes(Vector256.ConvertToInt32Native(levels));
        }
    }

    /// <summary>Eight numbers below 256 as bytes in order.</summary>
    public static ulong Bytes(Vector256<int> numbers)
    {
        Vector128<ushort> narrow = Vector128.Narrow(numbers.GetLower(), numbers.GetUpper()).AsUInt16();
        return Vector128.Narrow(narrow, narrow).AsUInt64().ToScalar();
    }

    /// <summary>The value of the largest magnitude, with its sign.</summary>
    public static float Largest(ReadOnlySpan<float> x)
    {
        float largest = 0;
        foreach (float value in x)
            if (Math.Abs(value) > Math.Abs(largest)) largest = value;
        return largest;
    }

    /// <summary>The least and the greatest value of each lane.</summary>
    private static (Vector256<float> Min, Vector256<float> Max) Ends(ReadOnlySpan<Vector256<float>> values)
    {
        Vector256<float> min = values[0], max = min;
        for (int i = 1; i < values.Length; i++)
        {
            min = Vector256.MinNative(min, values[i]);
            max = Vector256.MaxNative(max, values[i]);
        }
        return (min, max);
    }

    /// <summary>The first lane with the least value.</summary>
    public static int Least(Vector256<float> values)
    {
        Vector128<float> low = Vector128.MinNative(values.GetLower(), values.GetUpper());
        low = Vector128.MinNative(low, Vector128.Shuffle(low, Vector128.Create(2, 3, 0, 1)));
        low = Vector128.MinNative(low, Vector128.Shuffle(low, Vector128.Create(1, 0, 3, 2)));
        uint lanes = Vector256.Equals(values, Vector256.Create(low.ToScalar())).ExtractMostSignificantBits();
        return lanes == 0 ? 0 : int.TrailingZeroCount((int)lanes);
    }

    /// <summary>The best scale of each lane.</summary>
    private ref struct ScaleFit<TLevels, TWeights>(ReadOnlySpan<Vector256<float>> x, ReadOnlySpan<Vector256<float>> w) where TLevels : struct, ILevelGrid where TWeights : struct, IWeighting
    {
        private readonly ReadOnlySpan<Vector256<float>> _x = x, _w = w;
        private Vector256<float> _gain;

        public Vector256<float> Inverse { get; private set; }

        public Vector256<float> Scale { get; private set; }

        /// <summary>Rounds by x · inverse and fits the scale to the levels, for two inverse scales a lane.</summary>
        public void Try(Vector256<float> a, Vector256<float> b)
        {
            ReadOnlySpan<Vector256<float>> x = _x, w = _w;
            Vector256<float> xqA = default, qqA = default, xqB = default, qqB = default;
            for (int k = 0; k < x.Length; k++)
            {
                Vector256<float> value = x[k], qA = TLevels.Nearest(value, a), qB = TLevels.Nearest(value, b);
                Vector256<float> wqA = TWeights.Weigh(w, k, qA), wqB = TWeights.Weigh(w, k, qB);
                xqA = Vector256.FusedMultiplyAdd(wqA, value, xqA);
                qqA = Vector256.FusedMultiplyAdd(wqA, qA, qqA);
                xqB = Vector256.FusedMultiplyAdd(wqB, value, xqB);
                qqB = Vector256.FusedMultiplyAdd(wqB, qB, qqB);
            }
            Keep(a, xqA, qqA);
            Keep(b, xqB, qqB);
        }

        /// <summary>With the scale xq / qq the error is Σ w x² − xq² / qq. NaN, where every level is 0, is not greater.</summary>
        private void Keep(Vector256<float> inverse, Vector256<float> xq, Vector256<float> qq)
        {
            Vector256<float> scale = xq / qq, gain = xq * scale, better = Vector256.GreaterThan(gain, _gain);
            _gain = Vector256.ConditionalSelect(better, gain, _gain);
            Inverse = Vector256.ConditionalSelect(better, inverse, Inverse);
            Scale = Vector256.ConditionalSelect(better, scale, Scale);
        }
    }

    /// <summary>The best pair of scale and offset of each lane.</summary>
    private ref struct OffsetFit<TWeights> where TWeights : struct, IWeighting
    {
        private readonly ReadOnlySpan<Vector256<float>> _x, _w;
        private readonly Vector256<float> _sumW, _sumWx;
        private readonly float _high;
        private readonly bool _atMostZero;
        private Vector256<float> _gain = Vector256.Create(float.NegativeInfinity);

        /// <summary>Begins with pairs that reach from the least value to the greatest.</summary>
        public OffsetFit(ReadOnlySpan<Vector256<float>> x, ReadOnlySpan<Vector256<float>> w, int high, bool atMostZero, Vector256<float> scale, Vector256<float> offset)
        {
            Scale = scale;
            Offset = offset;
            _x = x;
            _w = w;
            _high = high;
            _atMostZero = atMostZero;
            for (int k = 0; k < x.Length; k++)
            {
                _sumW += TWeights.Weigh(w, k, Vector256<float>.One);
                _sumWx += TWeights.Weigh(w, k, x[k]);
            }
        }

        public Vector256<float> Scale { get; private set; }

        public Vector256<float> Offset { get; private set; }

        /// <summary>Rounds by (x − offset) · inverse and fits scale and offset to the numbers, for two inverse scales a lane.</summary>
        public void Try(Vector256<float> a, Vector256<float> b, Vector256<float> offset)
        {
            ReadOnlySpan<Vector256<float>> x = _x, w = _w;
            Vector256<float> qA = default, qqA = default, xqA = default, qB = default, qqB = default, xqB = default;
            for (int k = 0; k < x.Length; k++)
            {
                Vector256<float> value = x[k], above = value - offset;
                Vector256<float> nearA = Nearest(above, a, 0, _high), nearB = Nearest(above, b, 0, _high), wqA = TWeights.Weigh(w, k, nearA), wqB = TWeights.Weigh(w, k, nearB);
                qA += wqA;
                qqA = Vector256.FusedMultiplyAdd(wqA, nearA, qqA);
                xqA = Vector256.FusedMultiplyAdd(wqA, value, xqA);
                qB += wqB;
                qqB = Vector256.FusedMultiplyAdd(wqB, nearB, qqB);
                xqB = Vector256.FusedMultiplyAdd(wqB, value, xqB);
            }
            Keep(qA, qqA, xqA);
            Keep(qB, qqB, xqB);
        }

        /// <summary>At the best scale and offset the error is Σ w x² − scale · xq − offset · Σ w x.</summary>
        private void Keep(Vector256<float> q, Vector256<float> qq, Vector256<float> xq)
        {
            Vector256<float> determinant = _sumW * qq - q * q, scale = (_sumW * xq - _sumWx * q) / determinant, offset = (qq * _sumWx - q * xq) / determinant;
            // Where all numbers are the same, or nearly, there is no fit of both.
            Vector256<float> fits = Vector256.GreaterThan(determinant, _sumW * qq * 1e-6f);
            if (_atMostZero)
            {
                // An offset that may not be stored is left out.
                fits &= Vector256.LessThanOrEqual(offset, Vector256<float>.Zero);
                scale = Vector256.ConditionalSelect(fits, scale, xq / qq);
                offset &= fits;
                fits = Vector256.GreaterThan(qq, Vector256<float>.Zero);
            }
            Vector256<float> gain = scale * xq + offset * _sumWx;
            Vector256<float> better = fits & Vector256.GreaterThan(gain, _gain) & Vector256.GreaterThan(scale, Vector256<float>.Zero);
            _gain = Vector256.ConditionalSelect(better, gain, _gain);
            Scale = Vector256.ConditionalSelect(better, scale, Scale);
            Offset = Vector256.ConditionalSelect(better, offset, Offset);
        }
    }
}
