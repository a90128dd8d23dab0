using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Sixteen groups of 16 values, each group two points of a codebook of 1,024 with a four-bit scale: ((d * (0.5 + scale)) * 0.25) * magnitude, with a sign.</summary>
/// <remarks>82 bytes. Fields in file order; ggml's block_iq2_s.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ2_SBlock : IBlockFormat<IQ2_SBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>The low eight bits of each point's index.</summary>
    public Array32<byte> qs;

    /// <summary>A byte for each point: bit j set means that value j is negative.</summary>
    public Array32<byte> signs;

    /// <summary>The high two bits of the indices: point 4g + l in byte g at bit 2l.</summary>
    public Array8<byte> qh;

    /// <summary>The group scales, two a byte, the even group in the low half.</summary>
    public Array8<byte> scales;

    /// <inheritdoc/>
    public static string Name => "IQ2_S";

    /// <inheritdoc/>
    public static int GgufId => 22;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ2_SBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ2_SBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs, signs = block.signs, qh = block.qh, scales = block.scales;
        ReadOnlySpan<ushort> grid = IQ2Grids.S;
        for (int point = 0; point < 32; point++)
        {
            float scale = d * (0.5f + (scales[point >> 2] >> 2 * (point & 2) & 15)) * 0.25f;
            int index = qs[point] | (qh[point >> 2] >> 2 * (point & 3) & 3) << 8;
            IQ2Grids.Decode(grid[index], signs[point], scale, values.Slice(8 * point, 8));
        }
    }
}
