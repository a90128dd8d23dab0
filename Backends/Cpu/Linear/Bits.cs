using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>Bit work that several block types share. Lanes are values in their order.</summary>
internal static unsafe class Bits
{
    /// <summary>Sixteen bytes to 32 values: the low halves, then the high halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Nibbles(byte* qs)
    {
        Vector128<byte> v = Vector128.Load(qs);
        return Vector256.Create(v, (v.AsUInt16() >>> 4).AsByte()) & Vector256.Create((byte)15);
    }

    /// <summary>Shifts right within pairs of bytes; the caller masks off what came from the neighbour.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift(Vector256<byte> v, int bits) => bits == 0 ? v : (v.AsUInt16() >>> bits).AsByte();

    /// <summary>Bit i of <paramref name="bits"/> as byte i: 16 or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Sixteens(uint bits)
    {
        // Each byte of the four is spread over the eight lanes whose bits it holds.
        Vector128<byte> source = Vector128.CreateScalar(bits).AsByte();
        Vector256<byte> spread = Vector256.Create(
            Vector128.Shuffle(source, Vector128.Create((byte)0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)),
            Vector128.Shuffle(source, Vector128.Create((byte)2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)));
        Vector256<byte> mask = Vector256.Create(0x8040201008040201ul).AsByte();
        return Vector256.Equals(spread & mask, mask) & Vector256.Create((byte)16);
    }

    /// <summary>Looks sixteen levels up: the non-linear values of IQ4_NL and IQ4_XS, as signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Levels(Vector256<byte> nibbles) => LookUp(Vector128.Create(IQ4_NLBlock.Levels).AsByte(), nibbles);

    /// <summary>Looks 32 numbers below sixteen up in a table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> LookUp(Vector128<byte> table, Vector256<byte> nibbles) =>
        Vector256.Create(Vector128.Shuffle(table, nibbles.GetLower()), Vector128.Shuffle(table, nibbles.GetUpper()));

    /// <summary>Sixteen small integers times d, in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scaled(Vector128<sbyte> values, float d, float* to)
    {
        (Vector128<short> low, Vector128<short> high) = Vector128.Widen(values);
        Vector256<float> s = Vector256.Create(d);
        (Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(low), Vector128.WidenUpper(low))) * s).Store(to);
        (Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(high), Vector128.WidenUpper(high))) * s).Store(to + 8);
    }

    /// <summary>The eight 6-bit scales and minima of Q4_K and Q5_K, as scale and offset of each group: four at a time in the bytes of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ScalesAndMins(byte* packed, float d, float dmin, float* scales, float* offsets)
    {
        uint a = Unsafe.ReadUnaligned<uint>(packed), b = Unsafe.ReadUnaligned<uint>(packed + 4), c = Unsafe.ReadUnaligned<uint>(packed + 8);
        const uint Six = 0x3f3f3f3f, Four = 0x0f0f0f0f, Two = 0x30303030;
        ulong scale = a & Six | (ulong)(c & Four | a >> 2 & Two) << 32, min = b & Six | (ulong)(c >> 4 & Four | b >> 2 & Two) << 32;
        (Vector256.ConvertToSingle(Eight(scale)) * Vector256.Create(d)).Store(scales);
        (Vector256.ConvertToSingle(Eight(min)) * Vector256.Create(-dmin)).Store(offsets);
    }

    /// <summary>The eight bytes of a word as ints.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Eight(ulong bytes)
    {
        Vector128<ushort> wide = Vector128.WidenLower(Vector128.CreateScalar(bytes).AsByte());
        return Vector256.Create(Vector128.WidenLower(wide), Vector128.WidenUpper(wide)).AsInt32();
    }
}
