using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>256 values -1, 0, 1 or 2 in two bits with one scale: (q - 1) * d. Encoders use the lower three.</summary>
/// <remarks>66 bytes. Fields in file order; ggml's block_tq2_0.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct TQ2_0Block : IBlockFormat<TQ2_0Block>
{
    /// <summary>Four values a byte. Byte 32n + k holds the values 128n + 32j + k for j = 0..3, at bit 2j.</summary>
    public Array64<byte> qs;

    /// <summary>Scale.</summary>
    public Half d;

    /// <inheritdoc/>
    public static string Name => "TQ2_0";

    /// <inheritdoc/>
    public static int GgufId => 35;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in TQ2_0Block block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in TQ2_0Block block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs;
        for (int part = 0; part < 8; part++)
        {
            ReadOnlySpan<byte> from = qs.Slice(32 * (part >> 2), 32);
            Span<float> to = values.Slice(32 * part, 32);
            for (int k = 0; k < to.Length; k++)
                to[k] = ((from[k] >> 2 * (part & 3) & 3) - 1) * d;
        }
    }
}
