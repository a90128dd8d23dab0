using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Eight groups of 32 values, each group four points of a codebook of 2,048 with a three-bit scale and a shift of an eighth up or down: (d * (2 * scale + 1)) * (value + shift).</summary>
/// <remarks>50 bytes. Fields in file order; ggml's block_iq1_s.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ1_SBlock : IBlockFormat<IQ1_SBlock>
{
    /// <summary>Scale of the group scales.</summary>
    public Half d;

    /// <summary>The low eight bits of each point's index, four points a group.</summary>
    public Array32<byte> qs;

    /// <summary>A word for each group: the high three bits of the index of point l at bit 3l, the scale at bit 12, and bit 15 set where the shift is down.</summary>
    public Array8<ushort> qh;

    /// <inheritdoc/>
    public static string Name => "IQ1_S";

    /// <inheritdoc/>
    public static int GgufId => 19;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ1_SBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ1_SBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs;
        ReadOnlySpan<ushort> qh = block.qh, grid = IQ1Grid.Points;
        for (int group = 0; group < 8; group++)
        {
            int high = qh[group];
            float scale = d * (2 * (high >> 12 & 7) + 1), shift = (high & 0x8000) == 0 ? IQ1Grid.Shift : -IQ1Grid.Shift;
            for (int l = 0; l < 4; l++)
                IQ1Grid.Decode(grid[qs[4 * group + l] | (high >> 3 * l & 7) << 8], shift, scale, values.Slice(32 * group + 8 * l, 8));
        }
    }
}
