using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>32 floats of four bits (one sign, two exponent, one mantissa) with a power of two as scale: Levels[q] * 2^(e - 128).</summary>
/// <remarks>17 bytes. Fields in file order; ggml's block_mxfp4; OCP Microscaling Formats v1.0, where the value of q is half the level.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MXFP4Block : IBlockFormat<MXFP4Block>
{
    /// <summary>Exponent of the scale.</summary>
    public byte e;

    /// <summary>Two values a byte: value k in the low half of byte k, value k + 16 in the high half.</summary>
    public Array16<byte> qs;

    /// <inheritdoc/>
    public static string Name => "MXFP4";

    /// <inheritdoc/>
    public static int GgufId => 39;

    /// <inheritdoc/>
    public static int Length => 32;

    /// <inheritdoc/>
    /// <remarks>As ggml has it, the highest exponent is a power of two like the others; the largest levels times the last three powers overflow.</remarks>
    public static bool IsFinite(in MXFP4Block block)
    {
        if (block.e < 253) return true;
        Span<float> values = stackalloc float[32];
        Decode(in block, values);
        bool all = true;
        foreach (float value in values) all &= float.IsFinite(value);
        return all;
    }

    /// <inheritdoc/>
    public static void Decode(in MXFP4Block block, Span<float> values)
    {
        // 2^-128 and 2^-127 are subnormal: their only bit is one of the mantissa.
        float d = BitConverter.UInt32BitsToSingle(block.e < 2 ? 0x200000u << block.e : (uint)(block.e - 1) << 23);
        ReadOnlySpan<byte> qs = block.qs;
        ReadOnlySpan<sbyte> levels = Levels;
        Span<float> low = values[..16], high = values.Slice(16, 16);
        for (int k = 0; k < 16; k++)
        {
            low[k] = d * levels[qs[k] & 15];
            high[k] = d * levels[qs[k] >> 4];
        }
    }

    /// <summary>Twice the sixteen values of the four-bit float, so that they are whole.</summary>
    private static ReadOnlySpan<sbyte> Levels => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];
}
