using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>One float32 as a block of one value.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct F32Block : IBlockEncoder<F32Block>
{
    private float _value;

    /// <inheritdoc/>
    public static string Name => "F32";

    /// <inheritdoc/>
    public static int GgufId => 0;

    /// <inheritdoc/>
    public static int Length => 1;

    /// <inheritdoc/>
    public static void Decode(in F32Block block, Span<float> values) => values[0] = block._value;

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out F32Block block) => block._value = values[0];
}

/// <summary>One IEEE half as a block of one value; encoded to nearest even.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct F16Block : IBlockEncoder<F16Block>
{
    private Half _value;

    /// <inheritdoc/>
    public static string Name => "F16";

    /// <inheritdoc/>
    public static int GgufId => 1;

    /// <inheritdoc/>
    public static int Length => 1;

    /// <inheritdoc/>
    public static void Decode(in F16Block block, Span<float> values) => values[0] = (float)block._value;

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out F16Block block) => block._value = (Half)values[0];
}

/// <summary>One bfloat16 (the upper half of a float32) as a block of one value; encoded to nearest even, NaN stays NaN.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BF16Block : IBlockEncoder<BF16Block>
{
    private ushort _bits;

    /// <inheritdoc/>
    public static string Name => "BF16";

    /// <inheritdoc/>
    public static int GgufId => 30;

    /// <inheritdoc/>
    public static int Length => 1;

    /// <inheritdoc/>
    public static void Decode(in BF16Block block, Span<float> values) => values[0] = BitConverter.UInt32BitsToSingle((uint)block._bits << 16);

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out BF16Block block)
    {
        uint bits = BitConverter.SingleToUInt32Bits(values[0]);
        block._bits = float.IsNaN(values[0])
            ? (ushort)(bits >> 16 | 0x40)
            : (ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }
}
