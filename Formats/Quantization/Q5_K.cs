using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Eight groups of 32 five-bit values, each group with a six-bit scale and minimum: (d * scale) * q - dmin * min.</summary>
/// <remarks>176 bytes. Fields in file order; ggml's block_q5_K.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q5_KBlock : IBlockEncoder<Q5_KBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>Scale of the group minima.</summary>
    public Half dmin;

    /// <summary>Eight six-bit scales and minima; <see cref="Q4_KBlock.ScaleAndMin"/> unpacks one pair.</summary>
    public Array12<byte> scales;

    /// <summary>The fifth bits: bit j of byte k belongs to value k of group j.</summary>
    public Array32<byte> qh;

    /// <summary>The low four bits, two values a byte: group j in the low (j even) or high (j odd) halves of the 32 bytes from 32 * (j / 2).</summary>
    public Array128<byte> qs;

    /// <inheritdoc/>
    public static string Name => "Q5_K";

    /// <inheritdoc/>
    public static int GgufId => 13;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in Q5_KBlock block) => Half.IsFinite(block.d) & Half.IsFinite(block.dmin);

    /// <inheritdoc/>
    public static void Decode(in Q5_KBlock block, Span<float> values)
    {
        float d = (float)block.d, dmin = (float)block.dmin;
        ReadOnlySpan<byte> scales = block.scales, qh = block.qh, qs = block.qs;
        for (int group = 0; group < 8; group++)
        {
            (int scale6, int min6) = Q4_KBlock.ScaleAndMin(scales, group);
            float scale = d * scale6, min = dmin * min6;
            int shift = 4 * (group & 1);
            ReadOnlySpan<byte> low = qs.Slice(32 * (group >> 1), 32);
            Span<float> to = values.Slice(32 * group, 32);
            for (int k = 0; k < to.Length; k++)
                to[k] = scale * (low[k] >> shift & 15 | (qh[k] >> group & 1) << 4) - min;
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q5_KBlock block)
    {
        Span<float> room = stackalloc float[256];
        Span<int> s = stackalloc int[8], m = stackalloc int[8];
        Span<byte> q = stackalloc byte[32];
        ReadOnlySpan<float> weights = ScaleSearch.Weights(importance, room, 256);
        block = default;
        (block.d, block.dmin) = GroupSearch.ScalesAndMinima(values, weights, 31, 63, s, m);
        Q4_KBlock.PackScalesAndMins(s, m, block.scales);
        Span<byte> qh = block.qh, qs = block.qs;
        for (int group = 0; group < 8; group++)
        {
            ScaleSearch.Quantize(values.Slice(32 * group, 32), (float)block.d * s[group], -(float)block.dmin * m[group], 0, 31, q);
            int shift = 4 * (group & 1);
            Span<byte> low = qs.Slice(32 * (group >> 1), 32);
            for (int k = 0; k < low.Length; k++)
            {
                low[k] |= (byte)((q[k] & 15) << shift);
                qh[k] |= (byte)(q[k] >> 4 << group);
            }
        }
    }
}
