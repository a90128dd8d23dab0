using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Eight groups of 32 four-bit values, each group with a six-bit scale and minimum: (d * scale) * q - dmin * min.</summary>
/// <remarks>144 bytes. Fields in file order; ggml's block_q4_K.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q4_KBlock : IBlockEncoder<Q4_KBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>Scale of the group minima.</summary>
    public Half dmin;

    /// <summary>Eight six-bit scales and minima; <see cref="ScaleAndMin"/> unpacks one pair.</summary>
    public Array12<byte> scales;

    /// <summary>Two values a byte: group j in the low (j even) or high (j odd) halves of the 32 bytes from 32 * (j / 2).</summary>
    public Array128<byte> qs;

    /// <inheritdoc/>
    public static string Name => "Q4_K";

    /// <inheritdoc/>
    public static int GgufId => 12;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in Q4_KBlock block) => Half.IsFinite(block.d) & Half.IsFinite(block.dmin);

    /// <inheritdoc/>
    public static void Decode(in Q4_KBlock block, Span<float> values)
    {
        float d = (float)block.d, dmin = (float)block.dmin;
        ReadOnlySpan<byte> scales = block.scales, qs = block.qs;
        for (int group = 0; group < 8; group++)
        {
            (int scale6, int min6) = ScaleAndMin(scales, group);
            float scale = d * scale6, min = dmin * min6;
            int shift = 4 * (group & 1);
            ReadOnlySpan<byte> from = qs.Slice(32 * (group >> 1), 32);
            Span<float> to = values.Slice(32 * group, 32);
            for (int k = 0; k < to.Length; k++)
                to[k] = scale * (from[k] >> shift & 15) - min;
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q4_KBlock block)
    {
        Span<float> room = stackalloc float[256];
        Span<int> s = stackalloc int[8], m = stackalloc int[8];
        Span<byte> q = stackalloc byte[32];
        ReadOnlySpan<float> weights = ScaleSearch.Weights(importance, room, 256);
        block = default;
        (block.d, block.dmin) = GroupSearch.ScalesAndMinima(values, weights, 15, 63, s, m);
        PackScalesAndMins(s, m, block.scales);
        Span<byte> qs = block.qs;
        for (int group = 0; group < 8; group++)
        {
            ScaleSearch.Quantize(values.Slice(32 * group, 32), (float)block.d * s[group], -(float)block.dmin * m[group], 0, 15, q);
            int shift = 4 * (group & 1);
            Span<byte> to = qs.Slice(32 * (group >> 1), 32);
            for (int k = 0; k < to.Length; k++) to[k] |= (byte)(q[k] << shift);
        }
    }

    /// <summary>Unpacks the scale and minimum of one group of 32 values, each 0 to 63; Q4_K and Q5_K pack them alike.</summary>
    /// <param name="scales">The twelve packed bytes.</param>
    /// <param name="group">0 to 7.</param>
    public static (int Scale, int Min) ScaleAndMin(ReadOnlySpan<byte> scales, int group) => group < 4
        ? (scales[group] & 63, scales[group + 4] & 63)
        : (scales[group + 4] & 15 | scales[group - 4] >> 6 << 4, scales[group + 4] >> 4 | scales[group] >> 6 << 4);

    /// <summary>Packs eight scales and minima, each 0 to 63, as <see cref="ScaleAndMin"/> unpacks them.</summary>
    internal static void PackScalesAndMins(ReadOnlySpan<int> scales, ReadOnlySpan<int> mins, Span<byte> packed)
    {
        for (int i = 0; i < 4; i++)
        {
            packed[i] = (byte)(scales[i] | scales[i + 4] >> 4 << 6);
            packed[i + 4] = (byte)(mins[i] | mins[i + 4] >> 4 << 6);
            packed[i + 8] = (byte)(scales[i + 4] & 15 | (mins[i + 4] & 15) << 4);
        }
    }
}
