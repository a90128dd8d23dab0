using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Formats.Blocks;

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
    public static bool IsFinite(in Q8_0Block block) => Half.IsFinite(block.d);

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
        ReadOnlySpan<Vector256<float>> x = MemoryMarshal.Cast<float, Vector256<float>>(values[..32]);
        float d = Largest(Vector256.Max(Vector256.Max(Vector256.Abs(x[0]), Vector256.Abs(x[1])), Vector256.Max(Vector256.Abs(x[2]), Vector256.Abs(x[3])))) / 127;
        // Below 2^-128 the reciprocal overflows; d is then 0 as a half, so that every q stands for 0.
        float reciprocal = 1 / d;
        if (!float.IsFinite(reciprocal)) reciprocal = 0;

        block = default;
        block.d = (Half)d;
        Span<Vector128<sbyte>> qs = MemoryMarshal.Cast<sbyte, Vector128<sbyte>>((Span<sbyte>)block.qs);
        for (int i = 0; i < qs.Length; i++)
            qs[i] = Vector128.Narrow(
                Vector128.Narrow(Round(x[2 * i] * reciprocal).GetLower(), Round(x[2 * i] * reciprocal).GetUpper()),
                Vector128.Narrow(Round(x[2 * i + 1] * reciprocal).GetLower(), Round(x[2 * i + 1] * reciprocal).GetUpper()));
    }

    private static float Largest(Vector256<float> values)
    {
        Vector128<float> four = Vector128.Max(values.GetLower(), values.GetUpper());
        return Math.Max(Math.Max(four[0], four[1]), Math.Max(four[2], four[3]));
    }

    /// <summary>Half away from zero; what is cut off is exact.</summary>
    private static Vector256<int> Round(Vector256<float> values)
    {
        Vector256<float> whole = Vector256.Truncate(values), away = Vector256.CopySign(Vector256<float>.One, values);
        return Vector256.ConvertToInt32Native(whole + (Vector256.GreaterThanOrEqual(Vector256.Abs(values - whole), Vector256.Create(0.5f)) & away));
    }
}
