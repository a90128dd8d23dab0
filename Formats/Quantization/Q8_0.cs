using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>32 signed bytes with one scale: q * d.</summary>
/// <remarks>34 bytes. Fields in file order; ggml's block_q8_0.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q8_0Block : IBlockEncoder<Q8_0Block>
{
    /// <summary>Scale.</summary>
    public Half d;

    /// <summary>The values, in order.</summary>
    public Array32<sbyte> qs;

    /// <inheritdoc/>
    public static string Name => "Q8_0";

    /// <inheritdoc/>
    public static int GgufId => 8;

    /// <inheritdoc/>
    public static int Length => 32;

    /// <inheritdoc/>
    public static void Decode(in Q8_0Block block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<sbyte> qs = block.qs;
        values = values[..32];
        for (int k = 0; k < values.Length; k++)
            values[k] = qs[k] * d;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Byte-equal to ggml's quantize_row_q8_0_ref: d = max|x| / 127, and q = x * (1 / d) rounded half away from zero with the float32 d,
    /// although the block holds d as a half. The importance is not used: the scale is not searched.
    /// </remarks>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q8_0Block block)
    {
        float largest = 0;
        foreach (float value in values)
            largest = Math.Max(largest, Math.Abs(value));
        float d = largest / 127;
        // Below 2^-128 the reciprocal overflows; d is then 0 as a half, so that every q stands for 0.
        float reciprocal = 1 / d;
        if (!float.IsFinite(reciprocal)) reciprocal = 0;

        block = default;
        block.d = (Half)d;
        Span<sbyte> qs = block.qs;
        for (int k = 0; k < qs.Length; k++)
            qs[k] = (sbyte)MathF.Round(values[k] * reciprocal, MidpointRounding.AwayFromZero);
    }
}
