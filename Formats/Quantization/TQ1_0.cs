using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>256 values -1, 0 or 1, five to a byte in base three, with one scale: (q - 1) * d.</summary>
/// <remarks>54 bytes. Fields in file order; ggml's block_tq1_0.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct TQ1_0Block : IBlockFormat<TQ1_0Block>
{
    /// <summary>Five values a byte: those of bytes 0 to 31 lie 32 apart from value 0 on, those of bytes 32 to 47 lie 16 apart from value 160 on.</summary>
    public Array48<byte> qs;

    /// <summary>Four values a byte, four apart from value 240 on.</summary>
    public Array4<byte> qh;

    /// <summary>Scale.</summary>
    public Half d;

    /// <inheritdoc/>
    public static string Name => "TQ1_0";

    /// <inheritdoc/>
    public static int GgufId => 34;

    /// <inheritdoc/>
    public static int Length => 256;

    /// <inheritdoc/>
    public static bool IsFinite(in TQ1_0Block block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in TQ1_0Block block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs, qh = block.qh;
        Decode(qs[..32], 5, d, values[..160]);
        Decode(qs[32..], 5, d, values[160..240]);
        Decode(qh, 4, d, values[240..256]);
    }

    /// <summary>Writes digit n of byte k to value n * bytes + k.</summary>
    /// <remarks>A byte is a fraction of 256 in base three: times a power of three, its lower eight bits begin with the digit wanted.</remarks>
    private static void Decode(ReadOnlySpan<byte> bytes, int digits, float d, Span<float> values)
    {
        int power = 1;
        for (int n = 0; n < digits; n++, power *= 3)
            for (int k = 0; k < bytes.Length; k++)
                values[n * bytes.Length + k] = (((byte)(bytes[k] * power) * 3 >> 8) - 1) * d;
    }
}
