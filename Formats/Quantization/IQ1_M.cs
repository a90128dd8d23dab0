using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>Sixteen groups of 16 values, each group two points of a codebook of 2,048 with a three-bit scale, each point shifted by an eighth up or down: (d * (2 * scale + 1)) * (value + shift).</summary>
/// <remarks>56 bytes. Fields in file order; ggml's block_iq1_m.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ1_MBlock : IBlockFormat<IQ1_MBlock>
{
    /// <summary>The low eight bits of each point's index.</summary>
    public Array32<byte> qs;

    /// <summary>Half a byte for each point, the even one in the low half: the high three bits of its index, and the top bit set where its shift is down.</summary>
    public Array16<byte> qh;

    /// <summary>Four group scales a word, three bits each; the top four bits of the words, first word lowest, are the half-precision scale of the scales.</summary>
    public Array4<ushort> scales;

    /// <inheritdoc/>
    public static string Name => "IQ1_M";

    /// <inheritdoc/>
    public static int GgufId => 29;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ1_MBlock block) => Half.IsFinite(ScaleOf(block));

    /// <inheritdoc/>
    public static void Decode(in IQ1_MBlock block, Span<float> values)
    {
        ReadOnlySpan<byte> qs = block.qs, qh = block.qh;
        ReadOnlySpan<ushort> scales = block.scales, grid = IQ1Grid.Points;
        float d = (float)ScaleOf(block);
        for (int point = 0; point < 32; point++)
        {
            int group = point >> 1, high = qh[group] >> 4 * (point & 1);
            float scale = d * (2 * (scales[group >> 2] >> 3 * (group & 3) & 7) + 1), shift = (high & 8) == 0 ? IQ1Grid.Shift : -IQ1Grid.Shift;
            IQ1Grid.Decode(grid[qs[point] | (high & 7) << 8], shift, scale, values.Slice(8 * point, 8));
        }
    }

    /// <summary>The scale of the scales.</summary>
    private static Half ScaleOf(in IQ1_MBlock block)
    {
        ReadOnlySpan<ushort> scales = block.scales;
        return BitConverter.UInt16BitsToHalf((ushort)(scales[0] >> 12 | scales[1] >> 12 << 4 | scales[2] >> 12 << 8 | scales[3] >> 12 << 12));
    }
}
