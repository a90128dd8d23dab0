using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Formats.Blocks;

/// <summary>Sixteen groups of 16 three-bit values, each group with a signed six-bit scale: (d * scale) * q, q from -4 to 3.</summary>
/// <remarks>110 bytes. Fields in file order; ggml's block_q3_K.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q3_KBlock : IBlockEncoder<Q3_KBlock>
{
    /// <summary>The third bits: bit 4n + j of byte k belongs to value 128n + 32j + k; clear means 4 less.</summary>
    public Array32<byte> hmask;

    /// <summary>The low two bits, four values a byte. Byte 32n + k holds the values 128n + 32j + k for j = 0..3, at bit 2j.</summary>
    public Array64<byte> qs;

    /// <summary>Sixteen six-bit scales; <see cref="Scale"/> unpacks one.</summary>
    public Array12<byte> scales;

    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <inheritdoc/>
    public static string Name => "Q3_K";

    /// <inheritdoc/>
    public static int GgufId => 11;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in Q3_KBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in Q3_KBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> hmask = block.hmask, qs = block.qs, scales = block.scales;
        for (int group = 0; group < 16; group++)
        {
            float scale = d * Scale(scales, group);
            int shift = group & 6, bit = group >> 1;
            ReadOnlySpan<byte> low = qs.Slice(32 * (group >> 3) + 16 * (group & 1), 16);
            ReadOnlySpan<byte> high = hmask.Slice(16 * (group & 1), 16);
            Span<float> to = values.Slice(16 * group, 16);
            for (int k = 0; k < to.Length; k++)
                to[k] = scale * ((low[k] >> shift & 3 | (high[k] >> bit & 1) << 2) - 4);
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q3_KBlock block)
    {
        Span<float> room = stackalloc float[256];
        Span<int> codes = stackalloc int[16];
        Span<byte> q = stackalloc byte[16];
        ReadOnlySpan<float> weights = ScaleSearch.Weights(importance, room, 256);
        block = default;
        block.d = GroupSearch.Scales<Signed3>(values, weights, -32, codes);
        Span<byte> hmask = block.hmask, qs = block.qs, scales = block.scales;
        for (int group = 0; group < 16; group++)
        {
            int code = codes[group] + 32;
            scales[group & 7] |= (byte)((code & 15) << 4 * (group >> 3));
            scales[8 + (group & 3)] |= (byte)(code >> 4 << 2 * (group >> 2));
            ScaleSearch.Quantize(values.Slice(16 * group, 16), (float)block.d * codes[group], 0, -4, 3, q);
            int shift = group & 6, bit = group >> 1;
            Span<byte> low = qs.Slice(32 * (group >> 3) + 16 * (group & 1), 16), high = hmask.Slice(16 * (group & 1), 16);
            Vector128<byte> numbers = Vector128.Create(q);   // shifted in pairs of bytes: no bit leaves its own
            Vector128<ushort> lowBits = (numbers & Vector128.Create((byte)3)).AsUInt16() << shift, highBits = (numbers & Vector128.Create((byte)4)).AsUInt16() >> 2 << bit;
            (Vector128.Create<byte>(low) | lowBits.AsByte()).CopyTo(low);
            (Vector128.Create<byte>(high) | highBits.AsByte()).CopyTo(high);
        }
    }

    /// <summary>Unpacks the scale of one group of 16 values: -32 to 31.</summary>
    /// <param name="scales">The twelve packed bytes.</param>
    /// <param name="group">0 to 15.</param>
    public static int Scale(ReadOnlySpan<byte> scales, int group) =>
        (scales[group & 7] >> 4 * (group >> 3) & 15 | (scales[8 + (group & 3)] >> 2 * (group >> 2) & 3) << 4) - 32;
}
