using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>A block type seen as signed bytes: value = scale·q + offset, scale and offset per group of 16 or 32 neighbours.</summary>
/// <remarks>What the definition in Formats decodes to float32, in the form that integer dot products want. Tested against it for every type.</remarks>
internal unsafe interface IInt8Block
{
    /// <summary>Values of a block: 32 or 256.</summary>
    static abstract int Length { get; }

    /// <summary>Bytes of a block.</summary>
    static abstract int Bytes { get; }

    /// <summary>Values that share a scale: 16 or 32.</summary>
    static abstract int Group { get; }

    /// <summary>Whether offsets can be other than zero.</summary>
    static abstract bool HasOffset { get; }

    /// <summary>Writes Length values, Length / Group scales and, with <see cref="HasOffset"/>, as many offsets.</summary>
    static abstract void Unpack(byte* block, sbyte* q, float* scales, float* offsets);
}

internal readonly unsafe struct Q8_0Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q8_0Block);
    public static int Group => 32;
    public static bool HasOffset => false;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        Vector256.Load((sbyte*)block + 2).Store(q);
    }
}

internal readonly unsafe struct Q4_0Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q4_0Block);
    public static int Group => 32;
    public static bool HasOffset => false;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        (Nibbles.Of16(block + 2).AsSByte() - Vector256.Create((sbyte)8)).Store(q);
    }
}

internal readonly unsafe struct Q4_1Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q4_1Block);
    public static int Group => 32;
    public static bool HasOffset => true;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        offsets[0] = Halves.ToSingle(block + 2);
        Nibbles.Of16(block + 4).AsSByte().Store(q);
    }
}

internal readonly unsafe struct Q5_0Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q5_0Block);
    public static int Group => 32;
    public static bool HasOffset => false;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        Vector256<byte> high = Nibbles.Bits(Unsafe.ReadUnaligned<uint>(block + 2)) & Vector256.Create((byte)16);
        ((Nibbles.Of16(block + 6) | high).AsSByte() - Vector256.Create((sbyte)16)).Store(q);
    }
}

internal readonly unsafe struct Q5_1Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q5_1Block);
    public static int Group => 32;
    public static bool HasOffset => true;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        offsets[0] = Halves.ToSingle(block + 2);
        Vector256<byte> high = Nibbles.Bits(Unsafe.ReadUnaligned<uint>(block + 4)) & Vector256.Create((byte)16);
        (Nibbles.Of16(block + 8) | high).AsSByte().Store(q);
    }
}

internal readonly unsafe struct IQ4_NLInt8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(IQ4_NLBlock);
    public static int Group => 32;
    public static bool HasOffset => false;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        Nibbles.Levels(Nibbles.Of16(block + 2)).Store(q);
    }
}

internal readonly unsafe struct IQ4_XSInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(IQ4_XSBlock);
    public static int Group => 32;
    public static bool HasOffset => false;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        var b = (IQ4_XSBlock*)block;
        float d = Halves.ToSingle((byte*)&b->d);
        byte* low = (byte*)&b->sl;
        for (int i = 0; i < 8; i++)
        {
            scales[i] = d * ((low[i / 2] >> 4 * (i % 2) & 15 | (b->sh >> 2 * i & 3) << 4) - 32);
            Nibbles.Levels(Nibbles.Of16((byte*)&b->qs + 16 * i)).Store(q + 32 * i);
        }
    }
}

internal readonly unsafe struct Q2_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q2_KBlock);
    public static int Group => 16;
    public static bool HasOffset => true;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        var b = (Q2_KBlock*)block;
        float d = Halves.ToSingle((byte*)&b->d), dmin = Halves.ToSingle((byte*)&b->dmin);
        byte* s = (byte*)&b->scales;
        for (int g = 0; g < 16; g++)
        {
            scales[g] = d * (s[g] & 15);
            offsets[g] = -dmin * (s[g] >> 4);
        }
        for (int half = 0; half < 2; half++)
        {
            Vector256<byte> v = Vector256.Load((byte*)&b->qs + 32 * half);
            for (int j = 0; j < 4; j++) (Nibbles.Shift(v, 2 * j) & Vector256.Create((byte)3)).AsSByte().Store(q + 128 * half + 32 * j);
        }
    }
}

internal readonly unsafe struct Q3_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q3_KBlock);
    public static int Group => 16;
    public static bool HasOffset => false;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        var b = (Q3_KBlock*)block;
        float d = Halves.ToSingle((byte*)&b->d);
        for (int g = 0; g < 16; g++) scales[g] = d * Q3_KBlock.Scale(b->scales, g);
        Vector256<byte> high = Vector256.Load((byte*)&b->hmask);
        for (int half = 0; half < 2; half++)
        {
            Vector256<byte> v = Vector256.Load((byte*)&b->qs + 32 * half);
            for (int j = 0; j < 4; j++)
            {
                // The high bit, moved to the place of 4; set means 0 is taken off, clear means 4.
                Vector256<byte> bit = Nibbles.Shift(high, 4 * half + j) & Vector256<byte>.One;
                Vector256<sbyte> low = (Nibbles.Shift(v, 2 * j) & Vector256.Create((byte)3)).AsSByte();
                (low + (bit + bit + bit + bit).AsSByte() - Vector256.Create((sbyte)4)).Store(q + 128 * half + 32 * j);
            }
        }
    }
}

internal readonly unsafe struct Q4_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q4_KBlock);
    public static int Group => 32;
    public static bool HasOffset => true;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        var b = (Q4_KBlock*)block;
        Nibbles.ScalesAndMins((byte*)&b->scales, Halves.ToSingle((byte*)&b->d), Halves.ToSingle((byte*)&b->dmin), scales, offsets);
        for (int pair = 0; pair < 4; pair++)
        {
            Vector256<byte> v = Vector256.Load((byte*)&b->qs + 32 * pair);
            (v & Vector256.Create((byte)15)).AsSByte().Store(q + 64 * pair);
            (Nibbles.Shift(v, 4) & Vector256.Create((byte)15)).AsSByte().Store(q + 64 * pair + 32);
        }
    }
}

internal readonly unsafe struct Q5_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q5_KBlock);
    public static int Group => 32;
    public static bool HasOffset => true;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        var b = (Q5_KBlock*)block;
        Nibbles.ScalesAndMins((byte*)&b->scales, Halves.ToSingle((byte*)&b->d), Halves.ToSingle((byte*)&b->dmin), scales, offsets);
        Vector256<byte> high = Vector256.Load((byte*)&b->qh), fifteen = Vector256.Create((byte)15);
        for (int j = 0; j < 8; j++)
        {
            Vector256<byte> v = Vector256.Load((byte*)&b->qs + 32 * (j / 2)), low = (j % 2 == 0 ? v : Nibbles.Shift(v, 4)) & fifteen;
            Vector256<byte> bit = Nibbles.Shift(high, j) & Vector256<byte>.One;
            (low | (bit.AsUInt16() << 4).AsByte()).AsSByte().Store(q + 32 * j);
        }
    }
}

internal readonly unsafe struct Q6_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q6_KBlock);
    public static int Group => 16;
    public static bool HasOffset => false;

    public static void Unpack(byte* block, sbyte* q, float* scales, float* offsets)
    {
        var b = (Q6_KBlock*)block;
        float d = Halves.ToSingle((byte*)&b->d);
        sbyte* s = (sbyte*)&b->scales;
        for (int g = 0; g < 16; g++) scales[g] = d * s[g];
        Vector256<byte> fifteen = Vector256.Create((byte)15), three = Vector256.Create((byte)3);
        for (int half = 0; half < 2; half++)
        {
            Vector256<byte> high = Vector256.Load((byte*)&b->qh + 32 * half);
            for (int j = 0; j < 4; j++)
            {
                Vector256<byte> v = Vector256.Load((byte*)&b->ql + 64 * half + 32 * (j & 1)), low = (j < 2 ? v : Nibbles.Shift(v, 4)) & fifteen;
                Vector256<byte> bits = ((Nibbles.Shift(high, 2 * j) & three).AsUInt16() << 4).AsByte();
                ((low | bits).AsSByte() - Vector256.Create((sbyte)32)).Store(q + 128 * half + 32 * j);
            }
        }
    }
}

/// <summary>Bit work that several block types share. Lanes are values in their order.</summary>
internal static unsafe class Nibbles
{
    /// <summary>Sixteen bytes to 32 values: the low halves, then the high halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Of16(byte* qs)
    {
        Vector128<byte> v = Vector128.Load(qs), fifteen = Vector128.Create((byte)15);
        return Vector256.Create(v & fifteen, (v.AsUInt16() >>> 4).AsByte() & fifteen);
    }

    /// <summary>Shifts right within pairs of bytes; the caller masks off what came from the neighbour.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift(Vector256<byte> v, int bits) => (v.AsUInt16() >>> bits).AsByte();

    /// <summary>Bit i of <paramref name="bits"/> as byte i: 255 or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Bits(uint bits)
    {
        Vector256<byte> spread = Vector256.Create(Vector128.Create(0x0101010101010101ul * (bits & 255), 0x0101010101010101ul * (bits >> 8 & 255)),
            Vector128.Create(0x0101010101010101ul * (bits >> 16 & 255), 0x0101010101010101ul * (bits >> 24))).AsByte();
        Vector256<byte> mask = Vector256.Create(0x8040201008040201ul).AsByte();
        return Vector256.Equals(spread & mask, mask);
    }

    /// <summary>Looks sixteen levels up: the non-linear values of IQ4_NL and IQ4_XS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Levels(Vector256<byte> nibbles)
    {
        Vector128<sbyte> table = Vector128.Create(IQ4_NLBlock.Levels);
        return Vector256.Create(Vector128.Shuffle(table, nibbles.GetLower().AsSByte()), Vector128.Shuffle(table, nibbles.GetUpper().AsSByte()));
    }

    /// <summary>The eight 6-bit scales and minima of Q4_K and Q5_K, as scale and offset of each group.</summary>
    public static void ScalesAndMins(byte* packed, float d, float dmin, float* scales, float* offsets)
    {
        for (int j = 0; j < 4; j++)
        {
            scales[j] = d * (packed[j] & 63);
            offsets[j] = -dmin * (packed[j + 4] & 63);
            scales[j + 4] = d * (packed[j + 8] & 15 | packed[j] >> 6 << 4);
            offsets[j + 4] = -dmin * (packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
        }
    }
}
