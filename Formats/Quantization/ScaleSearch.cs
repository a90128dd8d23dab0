using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>Finds the scale, or the scale and the offset, that store a group of values with the least weighted squared error.</summary>
/// <remarks>
/// A candidate scale rounds every value to a level; for those levels the best scale follows by least squares, and with it the error. Sixteen candidates
/// are tried at once, a lane of two vectors each, so that nothing is summed across lanes and the same input gives the same bytes on every machine.
/// </remarks>
internal static class ScaleSearch
{
    /// <summary>Below this no half scale can stand for a value other than 0.</summary>
    private const float Smallest = 1e-7f;

    /// <summary>Eight candidates: start, start + step and so on.</summary>
    private static Vector256<float> From(float start, float step) => Vector256.Create(start) + Vector256.Create(0f, 1, 2, 3, 4, 5, 6, 7) * step;

    /// <summary>Whole numbers from <paramref name="low"/> to <paramref name="high"/>; halves go to the even one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> values, float low, float high) =>
        Vector256.MinNative(Vector256.MaxNative(Vector256.Round(values), Vector256.Create(low)), Vector256.Create(high));

    /// <summary>The weights of a block: the importance relative to its mean, or ones.</summary>
    /// <remarks>A small share goes to every value, so that columns which no text ever used are still stored sensibly.</remarks>
    public static void Weights(ReadOnlySpan<float> importance, Span<float> weights)
    {
        float sum = 0;
        foreach (float value in importance) sum += value;
        if (!(sum > 0) || !float.IsFinite(sum))
        {
            weights.Fill(1);
            return;
        }
        float perMean = importance.Length / sum;
        for (int i = 0; i < weights.Length; i++) weights[i] = importance[i] * perMean + 1e-4f;
    }

    /// <summary>The scale s of x ≈ s · level; negative where the largest magnitude fits the lower end better.</summary>
    /// <returns>0 where all values are too small to be stored.</returns>
    public static float Scale<TLevels>(ReadOnlySpan<float> x, ReadOnlySpan<float> w) where TLevels : struct, ILevelGrid
    {
        float largest = Largest(x);
        if (Math.Abs(largest) < Smallest) return 0;
        var fit = new ScaleFit<TLevels>(x, w);
        // The largest value on the lowest level, a little below it, or cut off by up to a third; then on the highest; and around the best so far.
        float low = TLevels.Low / largest, high = TLevels.High / largest;
        fit.Try(From(low * (29 / 32f), low / 32), From(low * (37 / 32f), low / 32));
        float best = fit.Best().Inverse, fine = best / 192;
        fit.Try(From(high * (22 / 24f), high / 24), From(best - 3.5f * fine, fine));
        return fit.Best().Scale;
    }

    /// <summary>The scale s and offset m of x ≈ s · q + m, for whole q from 0 to <paramref name="high"/>.</summary>
    /// <param name="x">The values.</param>
    /// <param name="w">Their weights.</param>
    /// <param name="high">The highest q.</param>
    /// <param name="offsetAtMostZero">Whether the format stores −m as a positive number.</param>
    public static (float Scale, float Offset) ScaleAndOffset(ReadOnlySpan<float> x, ReadOnlySpan<float> w, int high, bool offsetAtMostZero)
    {
        (float min, float max) = Ends(x);
        if (offsetAtMostZero) min = Math.Min(min, 0);
        float range = max - min;
        if (range < Smallest) return (0, offsetAtMostZero ? min : (max + min) / 2);
        var fit = new OffsetFit(x, w, high, offsetAtMostZero, range / high, min);
        // Room left at the ends, or the ends cut off.
        float start = (high - 0.7f) / range, step = 0.15f / range;
        fit.Try(From(start, step), From(start + 8 * step, step), min);
        (float scale, float offset) = fit.Best();
        float inverse = 1 / scale, fine = inverse * 0.15f / high;
        fit.Try(From(inverse - 7.5f * fine, fine), From(inverse + 0.5f * fine, fine), offset);
        return fit.Best();
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
            Vector256<float> levels = Nearest((values[i] - Vector256.Create(offset)) * inverse, low, high) - Vector256.Create((float)low);
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
    /// <param name="x">The values, a multiple of eight.</param>
    public static float Largest(ReadOnlySpan<float> x)
    {
        (float min, float max) = Ends(x);
        return -min > max ? min : max;
    }

    /// <summary>The least and the greatest value.</summary>
    private static (float Min, float Max) Ends(ReadOnlySpan<float> x)
    {
        ReadOnlySpan<Vector256<float>> values = MemoryMarshal.Cast<float, Vector256<float>>(x);
        Vector256<float> min = values[0], max = min;
        for (int i = 1; i < values.Length; i++)
        {
            min = Vector256.MinNative(min, values[i]);
            max = Vector256.MaxNative(max, values[i]);
        }
        return (min[Least(min)], max[Least(-max)]);
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
    private ref struct ScaleFit<TLevels>(ReadOnlySpan<float> x, ReadOnlySpan<float> w) where TLevels : struct, ILevelGrid
    {
        private readonly ReadOnlySpan<float> _x = x, _w = w;
        private Vector256<float> _gain, _inverse, _scale;

        /// <summary>Rounds by x · inverse and fits the scale to the levels, for sixteen inverse scales.</summary>
        public void Try(Vector256<float> a, Vector256<float> b)
        {
            ReadOnlySpan<float> x = _x, w = _w[..x.Length];
            Vector256<float> xqA = default, qqA = default, xqB = default, qqB = default;
            for (int k = 0; k < x.Length; k++)
            {
                Vector256<float> value = Vector256.Create(x[k]), weight = Vector256.Create(w[k]);
                Vector256<float> qA = TLevels.Nearest(value * a), qB = TLevels.Nearest(value * b), wqA = weight * qA, wqB = weight * qB;
                xqA = Vector256.FusedMultiplyAdd(wqA, value, xqA);
                qqA = Vector256.FusedMultiplyAdd(wqA, qA, qqA);
                xqB = Vector256.FusedMultiplyAdd(wqB, value, xqB);
                qqB = Vector256.FusedMultiplyAdd(wqB, qB, qqB);
            }
            Keep(a, xqA, qqA);
            Keep(b, xqB, qqB);
        }

        public readonly (float Inverse, float Scale) Best()
        {
            int lane = Least(-_gain);
            return (_inverse[lane], _scale[lane]);
        }

        /// <summary>With the scale xq / qq the error is Σ w x² − xq² / qq. NaN, where every level is 0, is not greater.</summary>
        private void Keep(Vector256<float> inverse, Vector256<float> xq, Vector256<float> qq)
        {
            Vector256<float> scale = xq / qq, gain = xq * scale, better = Vector256.GreaterThan(gain, _gain);
            _gain = Vector256.ConditionalSelect(better, gain, _gain);
            _inverse = Vector256.ConditionalSelect(better, inverse, _inverse);
            _scale = Vector256.ConditionalSelect(better, scale, _scale);
        }
    }

    /// <summary>The best pair of scale and offset of each lane.</summary>
    private ref struct OffsetFit
    {
        private readonly ReadOnlySpan<float> _x, _w;
        private readonly float _high, _sumW, _sumWx;
        private readonly bool _atMostZero;
        private Vector256<float> _gain = Vector256.Create(float.NegativeInfinity), _scale, _offset;

        /// <summary>Begins with a pair that reaches from the least value to the greatest.</summary>
        public OffsetFit(ReadOnlySpan<float> x, ReadOnlySpan<float> w, int high, bool atMostZero, float scale, float offset)
        {
            _scale = Vector256.Create(scale);
            _offset = Vector256.Create(offset);
            _x = x;
            _w = w;
            _high = high;
            _atMostZero = atMostZero;
            for (int k = 0; k < x.Length; k++)
            {
                _sumW += w[k];
                _sumWx += w[k] * x[k];
            }
        }

        /// <summary>Rounds by (x − offset) · inverse and fits scale and offset to the numbers, for sixteen inverse scales.</summary>
        public void Try(Vector256<float> a, Vector256<float> b, float offset)
        {
            ReadOnlySpan<float> x = _x, w = _w[..x.Length];
            Vector256<float> qA = default, qqA = default, xqA = default, qB = default, qqB = default, xqB = default;
            for (int k = 0; k < x.Length; k++)
            {
                Vector256<float> value = Vector256.Create(x[k]), weight = Vector256.Create(w[k]), above = Vector256.Create(x[k] - offset);
                Vector256<float> nearA = Nearest(above * a, 0, _high), nearB = Nearest(above * b, 0, _high), wqA = weight * nearA, wqB = weight * nearB;
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

        public readonly (float Scale, float Offset) Best()
        {
            int lane = Least(-_gain);
            return (_scale[lane], _offset[lane]);
        }

        /// <summary>At the best scale and offset the error is Σ w x² − scale · xq − offset · Σ w x.</summary>
        private void Keep(Vector256<float> q, Vector256<float> qq, Vector256<float> xq)
        {
            Vector256<float> sumW = Vector256.Create(_sumW), sumWx = Vector256.Create(_sumWx), determinant = sumW * qq - q * q;
            Vector256<float> scale = (sumW * xq - sumWx * q) / determinant, offset = (qq * sumWx - q * xq) / determinant;
            // Where all numbers are the same, or nearly, there is no fit of both.
            Vector256<float> fits = Vector256.GreaterThan(determinant, sumW * qq * 1e-6f);
            if (_atMostZero)
            {
                // An offset that may not be stored is left out.
                fits &= Vector256.LessThanOrEqual(offset, Vector256<float>.Zero);
                scale = Vector256.ConditionalSelect(fits, scale, xq / qq);
                offset &= fits;
                fits = Vector256.GreaterThan(qq, Vector256<float>.Zero);
            }
            Vector256<float> gain = scale * xq + offset * sumWx;
            Vector256<float> better = fits & Vector256.GreaterThan(gain, _gain) & Vector256.GreaterThan(scale, Vector256<float>.Zero);
            _gain = Vector256.ConditionalSelect(better, gain, _gain);
            _scale = Vector256.ConditionalSelect(better, scale, _scale);
            _offset = Vector256.ConditionalSelect(better, offset, _offset);
        }
    }
}
