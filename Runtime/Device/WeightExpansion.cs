using System.Buffers.Binary;
using MambaRT.Formats;

namespace MambaRT.Devices;

/// <summary>
/// Rows of the codebook, ternary and MXFP4 types as signed bytes with a scale for each sixteen: value = scale · q, exactly. The scale is read from the block,
/// the bytes are what the type's own definition decodes to, divided by it.
/// </summary>
internal static class WeightExpansion
{
    private delegate float GroupScale(ReadOnlySpan<byte> block, int sixteen);

    /// <summary>Whether a type is expanded.</summary>
    public static bool Has(QuantType type) => ScaleOf(type) is not null;

    /// <summary>Expands one row.</summary>
    /// <param name="type">One that <see cref="Has"/> names.</param>
    /// <param name="row">Whole blocks.</param>
    /// <param name="decoded">[columns], overwritten.</param>
    /// <param name="values">[columns].</param>
    /// <param name="scales">[columns / 16].</param>
    public static void Expand(QuantType type, ReadOnlySpan<byte> row, Span<float> decoded, Span<sbyte> values, Span<float> scales)
    {
        GroupScale scaleOf = ScaleOf(type)!;   // the table of forms sends no other type here
        type.DecodeRow(row, decoded);
        int sixteens = type.BlockLength / 16;
        for (int i = 0; i < scales.Length; i++)
        {
            float scale = scaleOf(row.Slice(i / sixteens * type.BlockBytes, type.BlockBytes), i % sixteens);
            scales[i] = scale;
            for (int k = 16 * i; k < 16 * i + 16; k++) values[k] = scale == 0 ? (sbyte)0 : (sbyte)MathF.Round(decoded[k] / scale);
        }
    }

    private static GroupScale? ScaleOf(QuantType type) => type.Name switch
    {
        "IQ1_S" => static (b, i) => Half(b, 0) * (2 * (Word(b, 34 + i / 2 * 2) >> 12 & 7) + 1) * 0.125f,
        "IQ1_M" => static (b, i) => SplitHalf(b) * (2 * (Word(b, 48 + i / 4 * 2) >> 3 * (i % 4) & 7) + 1) * 0.125f,
        "IQ2_XXS" => static (b, i) => Half(b, 0) * (0.5f + (b[2 + i / 2 * 8 + 7] >> 4)) * 0.25f,
        "IQ2_XS" => static (b, i) => Half(b, 0) * (0.5f + Nibble(b, 66, i)) * 0.25f,
        "IQ2_S" => static (b, i) => Half(b, 0) * (0.5f + Nibble(b, 74, i)) * 0.25f,
        "IQ3_XXS" => static (b, i) => Half(b, 0) * (0.5f + (b[66 + i / 2 * 4 + 3] >> 4)) * 0.5f,
        "IQ3_S" => static (b, i) => Half(b, 0) * (1 + 2 * Nibble(b, 106, i / 2)),
        "TQ1_0" => static (b, _) => Half(b, 52),
        "TQ2_0" => static (b, _) => Half(b, 64),
        "MXFP4" => static (b, _) => MathF.ScaleB(1, b[0] - 128),
        _ => null,
    };

    private static float Half(ReadOnlySpan<byte> block, int at) => (float)BinaryPrimitives.ReadHalfLittleEndian(block[at..]);

    private static int Word(ReadOnlySpan<byte> block, int at) => BinaryPrimitives.ReadUInt16LittleEndian(block[at..]);

    private static int Nibble(ReadOnlySpan<byte> block, int at, int i) => block[at + i / 2] >> 4 * (i % 2) & 15;

    /// <summary>IQ1_M's scale, four bits in each of four words.</summary>
    private static float SplitHalf(ReadOnlySpan<byte> b) => (float)BitConverter.UInt16BitsToHalf((ushort)(
        Word(b, 48) >> 12 | Word(b, 50) >> 12 << 4 | Word(b, 52) >> 12 << 8 | Word(b, 54) >> 12 << 12));
}
