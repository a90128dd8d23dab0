using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Sixteen groups of 16 six-bit values, each group with a signed byte as scale: (d * scale) * (q - 32).</summary>
/// <remarks>210 bytes. Fields in file order; ggml's block_q6_K.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q6_KBlock : IBlockEncoder<Q6_KBlock>
{
    /// <summary>The low four bits, two values a byte: value 128n + 32j + k in byte 64n + 32 * (j &amp; 1) + k, its low half for j below 2, else its high half.</summary>
    public Array128<byte> ql;

    /// <summary>The high two bits, four values a byte. Byte 32n + k holds the values 128n + 32j + k for j = 0..3, at bit 2j.</summary>
    public Array64<byte> qh;

    /// <summary>One scale per group.</summary>
    public Array16<sbyte> scales;

    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <inheritdoc/>
    public static string Name => "Q6_K";

    /// <inheritdoc/>
    public static int GgufId => 14;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in Q6_KBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in Q6_KBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> ql = block.ql, qh = block.qh;
        ReadOnlySpan<sbyte> scales = block.scales;
        for (int group = 0; group < 16; group++)
        {
            float scale = d * scales[group];
            int half = group >> 3, quarter = group >> 1 & 3, offset = 16 * (group & 1);
            int lowShift = 4 * (quarter >> 1), highShift = 2 * quarter;
            ReadOnlySpan<byte> low = ql.Slice(64 * half + 32 * (quarter & 1) + offset, 16);
            ReadOnlySpan<byte> high = qh.Slice(32 * half + offset, 16);
            Span<float> to = values.Slice(16 * group, 16);
            for (int k = 0; k < to.Length; k++)
                to[k] = scale * ((low[k] >> lowShift & 15 | (high[k] >> highShift & 3) << 4) - 32);
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q6_KBlock block)
    {
        Span<float> room = stackalloc float[256];
        Span<int> codes = stackalloc int[16];
        Span<byte> q = stackalloc byte[16];
        ReadOnlySpan<float> weights = ScaleSearch.Weights(importance, room, 256);
        block = default;
        block.d = GroupSearch.Scales<Signed6>(values, weights, -128, codes);
        Span<byte> ql = block.ql, qh = block.qh;
        Span<sbyte> scales = block.scales;
        for (int group = 0; group < 16; group++)
        {
            scales[group] = (sbyte)codes[group];
            ScaleSearch.Quantize(values.Slice(16 * group, 16), (float)block.d * codes[group], 0, -32, 31, q);
            int half = group >> 3, quarter = group >> 1 & 3, offset = 16 * (group & 1);
            int lowShift = 4 * (quarter >> 1), highShift = 2 * quarter;
            Span<byte> low = ql.Slice(64 * half + 32 * (quarter & 1) + offset, 16), high = qh.Slice(32 * half + offset, 16);
            for (int k = 0; k < low.Length; k++)
            {
                low[k] |= (byte)((q[k] & 15) << lowShift);
                high[k] |= (byte)(q[k] >> 4 << highShift);
            }
        }
    }
}
