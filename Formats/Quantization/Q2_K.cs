using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Sixteen groups of 16 two-bit values, each group with a four-bit scale and minimum: (d * scale) * q - dmin * min.</summary>
/// <remarks>84 bytes. Fields in file order; ggml's block_q2_K.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q2_KBlock : IBlockEncoder<Q2_KBlock>
{
    /// <summary>Per group: the scale in the low half, the minimum in the high half.</summary>
    public Array16<byte> scales;

    /// <summary>Four values a byte. Byte 32n + k holds the values 128n + 32j + k for j = 0..3, at bit 2j.</summary>
    public Array64<byte> qs;

    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>Scale of the group minima.</summary>
    public Half dmin;

    /// <inheritdoc/>
    public static string Name => "Q2_K";

    /// <inheritdoc/>
    public static int GgufId => 10;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in Q2_KBlock block) => Half.IsFinite(block.d) & Half.IsFinite(block.dmin);

    /// <inheritdoc/>
    public static void Decode(in Q2_KBlock block, Span<float> values)
    {
        float d = (float)block.d, dmin = (float)block.dmin;
        ReadOnlySpan<byte> scales = block.scales, qs = block.qs;
        for (int group = 0; group < 16; group++)
        {
            float scale = d * (scales[group] & 15), min = dmin * (scales[group] >> 4);
            int shift = group & 6;
            ReadOnlySpan<byte> from = qs.Slice(32 * (group >> 3) + 16 * (group & 1), 16);
            Span<float> to = values.Slice(16 * group, 16);
            for (int k = 0; k < to.Length; k++)
                to[k] = scale * (from[k] >> shift & 3) - min;
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q2_KBlock block)
    {
        Span<float> room = stackalloc float[256];
        Span<int> s = stackalloc int[16], m = stackalloc int[16];
        Span<byte> q = stackalloc byte[16];
        ReadOnlySpan<float> weights = ScaleSearch.Weights(importance, room, 256);
        block = default;
        (block.d, block.dmin) = GroupSearch.ScalesAndMinima(values, weights, 3, 15, s, m);
        Span<byte> scales = block.scales, qs = block.qs;
        for (int group = 0; group < 16; group++)
        {
            scales[group] = (byte)(s[group] | m[group] << 4);
            ScaleSearch.Quantize(values.Slice(16 * group, 16), (float)block.d * s[group], -(float)block.dmin * m[group], 0, 3, q);
            int shift = group & 6;
            Span<byte> to = qs.Slice(32 * (group >> 3) + 16 * (group & 1), 16);
            for (int k = 0; k < to.Length; k++) to[k] |= (byte)(q[k] << shift);
        }
    }
}
