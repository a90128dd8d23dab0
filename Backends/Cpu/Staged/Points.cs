using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <summary>What the codebook types share: indices, signs, scales, and the look-up of points. Lanes are values in their order.</summary>
internal static unsafe class Points
{
    /// <summary>256 values: 32 points of eight bytes, negative where their bit of <paramref name="signs"/> is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Eights(ulong* points, ushort* index, uint* signs, byte* values)
    {
        for (int part = 0; part < 8; part++, index += 4, values += 32) Negate(Eights(points, index), signs[part]).Store(values);
    }

    /// <summary>256 values: 64 points of four bytes, negative where their bit of <paramref name="signs"/> is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fours(uint* points, ushort* index, uint* signs, byte* values)
    {
        for (int part = 0; part < 8; part++, index += 8, values += 32)
        {
            Vector256<byte> v = Vector256.Create(points[index[0]], points[index[1]], points[index[2]], points[index[3]],
                points[index[4]], points[index[5]], points[index[6]], points[index[7]]).AsByte();
            Negate(v, signs[part]).Store(values);
        }
    }

    /// <summary>Four points of eight bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Eights(ulong* points, ushort* index) =>
        Vector256.Create(points[index[0]], points[index[1]], points[index[2]], points[index[3]]).AsByte();

    /// <summary>Sixteen bytes as words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ushort> Widen(byte* at)
    {
        if (Avx2.IsSupported) return Avx2.ConvertToVector256Int16(at).AsUInt16();
        (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(at));
        return Vector256.Create(low, high);
    }

    /// <summary>Each of four words in four lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ushort> Spread(byte* words) => Vector256.Shuffle(Vector256.Create(Unsafe.ReadUnaligned<ulong>(words)).AsByte(), Vector256.Create(
        (byte)0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 20, 21, 20, 21, 20, 21, 20, 21, 22, 23, 22, 23, 22, 23, 22, 23)).AsUInt16();

    /// <summary>The three bits at 0, 3, 6 and 9 of words that lie in four lanes each, at bits 8 to 10.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ushort> Threes(Vector256<ushort> spread)
    {
        // Products shift the first three up; the last has to go down.
        Vector256<ushort> up = spread * Vector256.Create(256, 32, 4, 0, 256, 32, 4, 0, 256, 32, 4, 0, 256, 32, 4, 0).AsUInt16();
        Vector256<ushort> down = (spread >>> 1) & Vector256.Create(0xffff000000000000ul).AsUInt16();
        return (up | down) & Vector256.Create((ushort)0x700);
    }

    /// <summary>The signs of eight values from seven bits a byte: the number of negative ones is even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Even(Vector256<uint> codes)
    {
        // Bit 7 becomes the parity of the bits below it; what crosses into the next byte stays below its bit 4 and does not reach bit 7.
        Vector256<uint> x = codes ^ codes << 4;
        x ^= x << 2;
        x ^= x << 1;
        return codes | x & Vector256.Create(0x80808080u);
    }

    /// <summary>Four codes of seven bits, one after the other in a word, as a byte each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Sevens(Vector256<uint> packed) =>
        packed & Vector256.Create(0x7fu) | packed << 1 & Vector256.Create(0x7f00u) | packed << 2 & Vector256.Create(0x7f0000u) | packed << 3 & Vector256.Create(0x7f000000u);

    /// <summary>The nibbles of eight bytes, low ones first, as 2·n + 1: what the scales of a block are multiples of.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> OddNibbles(ulong bytes)
    {
        Vector128<ushort> wide = Vector128.WidenLower(Vector128.CreateScalar(bytes).AsByte());
        Vector128<byte> nibbles = ((wide | wide << 4) & Vector128.Create((ushort)0x0f0f)).AsByte();
        return (nibbles + nibbles + Vector128<byte>.One).AsSByte();
    }

    /// <summary>Eight small integers times d, each for two groups of sixteen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pairs(Vector256<int> values, float d, float* scales)
    {
        Vector256<float> s = Vector256.ConvertToSingle(values) * Vector256.Create(d);
        Vector256.Shuffle(s, Vector256.Create(0, 0, 1, 1, 2, 2, 3, 3)).Store(scales);
        Vector256.Shuffle(s, Vector256.Create(4, 4, 5, 5, 6, 6, 7, 7)).Store(scales + 8);
    }

    /// <summary>One scale for all groups.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fill(float d, float* scales)
    {
        Vector256.Create(d).Store(scales);
        Vector256.Create(d).Store(scales + 8);
    }

    /// <summary>Bit i of <paramref name="signs"/> set makes byte i negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Negate(Vector256<byte> magnitudes, uint signs)
    {
        // Each byte of the four is spread over the eight lanes whose bits it holds.
        Vector256<byte> spread = Vector256.Shuffle(Vector256.Create(signs).AsByte(), Vector256.Create(
            (byte)0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19));
        Vector256<byte> bits = Vector256.Create(0x8040201008040201ul).AsByte(), negative = Vector256.Equals(spread & bits, bits);
        return (magnitudes ^ negative) - negative;
    }
}
