using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Eight groups of 32 values, each group with a signed six-bit scale and indices into the levels of IQ4_NL: (d * scale) * Levels[q].</summary>
/// <remarks>136 bytes. Fields in file order; ggml's block_iq4_xs.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ4_XSBlock : IBlockEncoder<IQ4_XSBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>The high two bits of the group scales: group i at bit 2i.</summary>
    public ushort sh;

    /// <summary>The low four bits of the group scales, two a byte, the even group in the low half.</summary>
    public Array4<byte> sl;

    /// <summary>Sixteen bytes a group, two values a byte: value k in the low half of byte k, value k + 16 in the high half.</summary>
    public Array128<byte> qs;

    /// <inheritdoc/>
    public static string Name => "IQ4_XS";

    /// <inheritdoc/>
    public static int GgufId => 23;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ4_XSBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ4_XSBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> sl = block.sl, qs = block.qs;
        ReadOnlySpan<sbyte> levels = IQ4_NLBlock.Levels;
        for (int group = 0; group < 8; group++)
        {
            float scale = d * ((sl[group >> 1] >> 4 * (group & 1) & 15 | (block.sh >> 2 * group & 3) << 4) - 32);
            ReadOnlySpan<byte> from = qs.Slice(16 * group, 16);
            Span<float> low = values.Slice(32 * group, 16), high = values.Slice(32 * group + 16, 16);
            for (int k = 0; k < from.Length; k++)
            {
                low[k] = scale * levels[from[k] & 15];
                high[k] = scale * levels[from[k] >> 4];
            }
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out IQ4_XSBlock block)
    {
        Span<float> room = stackalloc float[256];
        Span<int> codes = stackalloc int[8];
        Span<byte> q = stackalloc byte[32];
        ReadOnlySpan<float> weights = ScaleSearch.Weights(importance, room, 256);
        block = default;
        block.d = GroupSearch.Scales<UnevenLevels>(values, weights, -32, codes);
        Span<byte> sl = block.sl, qs = block.qs;
        for (int group = 0; group < 8; group++)
        {
            int code = codes[group] + 32;
            sl[group >> 1] |= (byte)((code & 15) << 4 * (group & 1));
            block.sh |= (ushort)(code >> 4 << 2 * group);
            UnevenLevels.Quantize(values.Slice(32 * group, 32), (float)block.d * codes[group], q);
            Nibbles.Pack(q, qs.Slice(16 * group, 16));
        }
    }
}
