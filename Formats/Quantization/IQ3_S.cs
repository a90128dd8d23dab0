using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Eight groups of 32 values, each group eight points of a codebook of 512 with a four-bit scale: (d * (1 + 2 * scale)) * magnitude, with a sign.</summary>
/// <remarks>110 bytes. Fields in file order; ggml's block_iq3_s.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ3_SBlock : IBlockFormat<IQ3_SBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>The low eight bits of each point's index, eight points a group.</summary>
    public Array64<byte> qs;

    /// <summary>The ninth bits of the indices: point i of a group at bit i of the group's byte.</summary>
    public Array8<byte> qh;

    /// <summary>A byte for each eight values: bit j set means that value j is negative.</summary>
    public Array32<byte> signs;

    /// <summary>The group scales, two a byte, the even group in the low half.</summary>
    public Array4<byte> scales;

    /// <inheritdoc/>
    public static string Name => "IQ3_S";

    /// <inheritdoc/>
    public static int GgufId => 21;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ3_SBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ3_SBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs, qh = block.qh, signs = block.signs, scales = block.scales;
        ReadOnlySpan<ushort> grid = IQ3Grids.S;
        for (int pair = 0; pair < 32; pair++)
        {
            int group = pair >> 2, high = qh[group] >> 2 * (pair & 3);
            float scale = d * (1 + 2 * (scales[group >> 1] >> 4 * (group & 1) & 15));
            ushort first = grid[qs[2 * pair] | (high & 1) << 8], second = grid[qs[2 * pair + 1] | (high & 2) << 7];
            IQ3Grids.Decode(first, second, IQ3Grids.SLevels, signs[pair], scale, values.Slice(8 * pair, 8));
        }
    }
}
