using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Sixteen groups of 16 values, each group two points of a codebook of 512 with a four-bit scale: ((d * (0.5 + scale)) * 0.25) * magnitude, with a sign.</summary>
/// <remarks>74 bytes. Fields in file order; ggml's block_iq2_xs.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ2_XSBlock : IBlockFormat<IQ2_XSBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>A point each: its index in the low nine bits, its sign code above.</summary>
    public Array32<ushort> qs;

    /// <summary>The group scales, two a byte, the even group in the low half.</summary>
    public Array8<byte> scales;

    /// <inheritdoc/>
    public static string Name => "IQ2_XS";

    /// <inheritdoc/>
    public static int GgufId => 17;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ2_XSBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ2_XSBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<ushort> qs = block.qs, grid = IQ2Grids.XS;
        ReadOnlySpan<byte> scales = block.scales;
        for (int point = 0; point < 32; point++)
        {
            float scale = d * (0.5f + (scales[point >> 2] >> 2 * (point & 2) & 15)) * 0.25f;
            IQ2Grids.Decode(grid[qs[point] & 511], GridSigns.Of((uint)qs[point] >> 9), scale, values.Slice(8 * point, 8));
        }
    }
}
