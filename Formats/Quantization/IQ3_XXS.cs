using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Eight groups of 32 values, each group eight points of a codebook of 256 with a four-bit scale: ((d * (0.5 + scale)) * 0.5) * magnitude, with a sign.</summary>
/// <remarks>98 bytes. Fields in file order; ggml's block_iq3_xxs.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ3_XXSBlock : IBlockFormat<IQ3_XXSBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>The index of each point, eight a group.</summary>
    public Array64<byte> qs;

    /// <summary>A word for each group: the sign code of points 2l and 2l + 1 at bit 7l, the scale at bit 28.</summary>
    public Array8<uint> rest;

    /// <inheritdoc/>
    public static string Name => "IQ3_XXS";

    /// <inheritdoc/>
    public static int GgufId => 18;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ3_XXSBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ3_XXSBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs;
        ReadOnlySpan<uint> rest = block.rest;
        ReadOnlySpan<ushort> grid = IQ3Grids.XXS;
        for (int group = 0; group < 8; group++)
        {
            float scale = d * (0.5f + (rest[group] >> 28)) * 0.5f;
            for (int l = 0; l < 4; l++)
            {
                int at = 8 * group + 2 * l, signs = GridSigns.Of(rest[group] >> 7 * l & 127);
                IQ3Grids.Decode(grid[qs[at]], grid[qs[at + 1]], IQ3Grids.XXSLevels, signs, scale, values.Slice(4 * at, 8));
            }
        }
    }
}
