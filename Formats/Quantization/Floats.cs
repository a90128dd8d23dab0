using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Formats.Blocks;

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
    public static bool IsFinite(in F32Block block) => float.IsFinite(block._value);

    /// <inheritdoc/>
    public static bool AllFinite(ReadOnlySpan<F32Block> blocks) => FloatBits.AllBelow(MemoryMarshal.Cast<F32Block, uint>(blocks), 0x7f800000);

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
    public static bool IsFinite(in F16Block block) => Half.IsFinite(block._value);

    /// <inheritdoc/>
    public static bool AllFinite(ReadOnlySpan<F16Block> blocks) => FloatBits.AllBelow(MemoryMarshal.Cast<F16Block, ushort>(blocks), 0x7c00);

    /// <inheritdoc/>
    public static void Decode(in F16Block block, Span<float> values) => values[0] = (float)block._value;

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out F16Block block) => block._value = (Half)values[0];

    /// <inheritdoc/>
    public static void DecodeAll(ReadOnlySpan<F16Block> blocks, Span<float> values) => Halves.Widen(MemoryMarshal.Cast<F16Block, ushort>(blocks), values);

    /// <inheritdoc/>
    public static void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<F16Block> blocks) =>
        Halves.Narrow(values, MemoryMarshal.Cast<F16Block, ushort>(blocks));
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
    public static bool IsFinite(in BF16Block block) => (block._bits & 0x7f80) != 0x7f80;

    /// <inheritdoc/>
    public static bool AllFinite(ReadOnlySpan<BF16Block> blocks) => FloatBits.AllBelow(MemoryMarshal.Cast<BF16Block, ushort>(blocks), 0x7f80);

    /// <inheritdoc/>
    public static void Decode(in BF16Block block, Span<float> values) => values[0] = BitConverter.UInt32BitsToSingle((uint)block._bits << 16);

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out BF16Block block)
    {
        block = default;
        EncodeAll(values[..1], importance, new Span<BF16Block>(ref block));
    }

    /// <inheritdoc/>
    public static void DecodeAll(ReadOnlySpan<BF16Block> blocks, Span<float> values)
    {
        ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<BF16Block, ushort>(blocks);
        Span<uint> to = MemoryMarshal.Cast<float, uint>(values)[..bits.Length];
        for (int i = 0; i < to.Length; i++) to[i] = (uint)bits[i] << 16;
    }

    /// <inheritdoc/>
    public static void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<BF16Block> blocks)
    {
        ReadOnlySpan<uint> from = MemoryMarshal.Cast<float, uint>(values);
        Span<ushort> to = MemoryMarshal.Cast<BF16Block, ushort>(blocks)[..from.Length];
        for (int i = 0; i < to.Length; i++)
        {
            uint bits = from[i];
            to[i] = (bits & 0x7fffffff) > 0x7f800000
                ? (ushort)(bits >> 16 | 0x40)
                : (ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16);
        }
    }
}

/// <summary>Bit patterns of floats, which in their magnitudes are in order: from that of infinity on, none is finite.</summary>
internal static class FloatBits
{
    /// <summary>Whether all magnitudes of 32 bits are below <paramref name="infinity"/>.</summary>
    public static bool AllBelow(ReadOnlySpan<uint> bits, uint infinity)
    {
        var most = Vector256<uint>.Zero;
        int i = 0;
        for (; i + Vector256<uint>.Count <= bits.Length; i += Vector256<uint>.Count)
            most = Vector256.Max(most, Vector256.Create(bits[i..]) & Vector256.Create(0x7fffffffu));
        bool all = Vector256.LessThanAll(most, Vector256.Create(infinity));
        for (; i < bits.Length; i++) all &= (bits[i] & 0x7fffffff) < infinity;
        return all;
    }

    /// <summary>Whether all magnitudes of 16 bits are below <paramref name="infinity"/>.</summary>
    public static bool AllBelow(ReadOnlySpan<ushort> bits, ushort infinity)
    {
        var most = Vector256<ushort>.Zero;
        int i = 0;
        for (; i + Vector256<ushort>.Count <= bits.Length; i += Vector256<ushort>.Count)
            most = Vector256.Max(most, Vector256.Create(bits[i..]) & Vector256.Create((ushort)0x7fff));
        bool all = Vector256.LessThanAll(most, Vector256.Create(infinity));
        for (; i < bits.Length; i++) all &= (bits[i] & 0x7fff) < infinity;
        return all;
    }
}
