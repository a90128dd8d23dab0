using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>The last step of decoding a point of a codebook with signs.</summary>
internal static class GridValues
{
    /// <summary>Writes eight values: (scale * levels[code]), negative where the bit of <paramref name="signs"/> is set.</summary>
    /// <param name="codes">Numbers of magnitudes, 0 to 7.</param>
    /// <param name="levels">The magnitudes.</param>
    /// <param name="signs">Bit j set means that value j is negative; bits above the eighth are not looked at.</param>
    /// <param name="scale">The group's scale.</param>
    /// <param name="values">At least eight floats.</param>
    public static void Write(Vector256<int> codes, Vector256<float> levels, int signs, float scale, Span<float> values)
    {
        // A product brings value j's sign to bit 31.
        Vector256<int> negative = Vector256.Create(signs) * Vector256.Create(1 << 31, 1 << 30, 1 << 29, 1 << 28, 1 << 27, 1 << 26, 1 << 25, 1 << 24) & Vector256.Create(int.MinValue);
        Vector256<float> magnitudes = Vector256.Create(scale) * Vector256.ShuffleNative(levels, codes);
        (magnitudes.AsInt32() ^ negative).AsSingle().CopyTo(values);
    }
}
