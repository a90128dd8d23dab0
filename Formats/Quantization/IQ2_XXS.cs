using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Eight groups of 32 values, each group four points of a codebook of 256 with a four-bit scale: ((d * (0.5 + scale)) * 0.25) * magnitude, with a sign.</summary>
/// <remarks>66 bytes. Fields in file order; ggml's block_iq2_xxs.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ2_XXSBlock : IBlockFormat<IQ2_XXSBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>Eight bytes a group: four indices into the codebook, then 32 bits with the sign code of point l at bit 7l and the scale at bit 28.</summary>
    public Array64<byte> qs;

    /// <inheritdoc/>
    public static string Name => "IQ2_XXS";

    /// <inheritdoc/>
    public static int GgufId => 16;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ2_XXSBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ2_XXSBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs;
        ReadOnlySpan<ushort> grid = IQ2Grids.XXS;
        for (int group = 0; group < 8; group++)
        {
            ReadOnlySpan<byte> from = qs.Slice(8 * group, 8);
            uint rest = BinaryPrimitives.ReadUInt32LittleEndian(from[4..]);
            float scale = d * (0.5f + (rest >> 28)) * 0.25f;
            for (int l = 0; l < 4; l++)
                IQ2Grids.Decode(grid[from[l]], GridSigns.Of(rest >> 7 * l & 127), scale, values.Slice(32 * group + 8 * l, 8));
        }
    }
}
