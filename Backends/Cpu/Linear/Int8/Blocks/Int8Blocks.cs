using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>A block type seen as bytes: value = scale·(q − Zero) + offset, with scale and offset per group of 16 or 32 neighbours.</summary>
/// <remarks>What the definition in Formats decodes to float32, in the form that integer dot products want. Tested against it for every type.</remarks>
internal unsafe interface IInt8Block
{
    /// <summary>Values of a block: 32 or 256.</summary>
    static abstract int Length { get; }

    /// <summary>Bytes of a block.</summary>
    static abstract int Bytes { get; }

    /// <summary>Values that share a scale: 16 or 32.</summary>
    static abstract int Group { get; }

    /// <summary>Whether q is a signed byte over the whole range; else it is 0 to <see cref="Most"/>.</summary>
    static abstract bool Signed { get; }

    /// <summary>The largest q where it is unsigned.</summary>
    static virtual int Most => 63;

    /// <summary>What is taken off q; 0 where <see cref="Signed"/>.</summary>
    static abstract int Zero { get; }

    /// <summary>Whether offsets can be other than zero.</summary>
    static abstract bool HasOffset { get; }

    /// <summary>Whether a row's last block may hold fewer values than its length: a multiple of 32.</summary>
    static virtual bool EndsEarly => false;

    /// <summary>q of values 32·<paramref name="part"/> to 32·part + 31, in order.</summary>
    static abstract Vector256<byte> Load(byte* block, int part);

    /// <summary>Writes Length / Group scales and, with <see cref="HasOffset"/>, as many offsets.</summary>
    static abstract void Scales(byte* block, float* scales, float* offsets);
}

internal readonly unsafe struct Q8_0Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q8_0Block);
    public static int Group => 32;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Vector256.Load(block + 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets) => scales[0] = Halves.ToSingle(block);
}

internal readonly unsafe struct Q4_0Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q4_0Block);
    public static int Group => 32;
    public static bool Signed => false;
    public static int Most => 15;
    public static int Zero => 8;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Nibbles(block + 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets) => scales[0] = Halves.ToSingle(block);
}

internal readonly unsafe struct Q4_1Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q4_1Block);
    public static int Group => 32;
    public static bool Signed => false;
    public static int Most => 15;
    public static int Zero => 0;
    public static bool HasOffset => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Nibbles(block + 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        offsets[0] = Halves.ToSingle(block + 2);
    }
}

internal readonly unsafe struct Q5_0Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q5_0Block);
    public static int Group => 32;
    public static bool Signed => false;
    public static int Most => 31;
    public static int Zero => 16;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Nibbles(block + 6) | Bits.Sixteens(Unsafe.ReadUnaligned<uint>(block + 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets) => scales[0] = Halves.ToSingle(block);
}

internal readonly unsafe struct Q5_1Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q5_1Block);
    public static int Group => 32;
    public static bool Signed => false;
    public static int Most => 31;
    public static int Zero => 0;
    public static bool HasOffset => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Nibbles(block + 8) | Bits.Sixteens(Unsafe.ReadUnaligned<uint>(block + 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        offsets[0] = Halves.ToSingle(block + 2);
    }
}

internal readonly unsafe struct IQ4_NLInt8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(IQ4_NLBlock);
    public static int Group => 32;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Levels(Bits.Nibbles(block + 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets) => scales[0] = Halves.ToSingle(block);
}

internal readonly unsafe struct IQ4_XSInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(IQ4_XSBlock);
    public static int Group => 32;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Levels(Bits.Nibbles((byte*)&((IQ4_XSBlock*)block)->qs + 16 * part));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        var b = (IQ4_XSBlock*)block;
        float d = Halves.ToSingle((byte*)&b->d);
        byte* low = (byte*)&b->sl;
        for (int i = 0; i < 8; i++) scales[i] = d * ((low[i / 2] >> 4 * (i % 2) & 15 | (b->sh >> 2 * i & 3) << 4) - 32);
    }
}

internal readonly unsafe struct Q2_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q2_KBlock);
    public static int Group => 16;
    public static bool Signed => false;
    public static int Most => 3;
    public static int Zero => 0;
    public static bool HasOffset => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Shift(Vector256.Load((byte*)&((Q2_KBlock*)block)->qs + 32 * (part / 4)), 2 * (part % 4)) & Vector256.Create((byte)3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        var b = (Q2_KBlock*)block;
        Vector128<byte> s = Vector128.Load((byte*)&b->scales), fifteen = Vector128.Create((byte)15);
        Bits.Scaled((s & fifteen).AsSByte(), Halves.ToSingle((byte*)&b->d), scales);
        Bits.Scaled((s.AsUInt16() >>> 4).AsByte().AsSByte() & fifteen.AsSByte(), -Halves.ToSingle((byte*)&b->dmin), offsets);
    }
}

internal readonly unsafe struct Q3_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q3_KBlock);
    public static int Group => 16;
    public static bool Signed => false;
    public static int Most => 7;
    public static int Zero => 4;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part)
    {
        var b = (Q3_KBlock*)block;
        Vector256<byte> low = Bits.Shift(Vector256.Load((byte*)&b->qs + 32 * (part / 4)), 2 * (part % 4)) & Vector256.Create((byte)3);
        Vector256<byte> high = Bits.Shift(Vector256.Load((byte*)&b->hmask), part) & Vector256<byte>.One;
        return low | (high.AsUInt16() << 2).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        var b = (Q3_KBlock*)block;
        float d = Halves.ToSingle((byte*)&b->d);
        for (int g = 0; g < 16; g++) scales[g] = d * Q3_KBlock.Scale(b->scales, g);
    }
}

internal readonly unsafe struct Q4_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q4_KBlock);
    public static int Group => 32;
    public static bool Signed => false;
    public static int Most => 15;
    public static int Zero => 0;
    public static bool HasOffset => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Shift(Vector256.Load((byte*)&((Q4_KBlock*)block)->qs + 32 * (part / 2)), 4 * (part % 2)) & Vector256.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        var b = (Q4_KBlock*)block;
        Bits.ScalesAndMins((byte*)&b->scales, Halves.ToSingle((byte*)&b->d), Halves.ToSingle((byte*)&b->dmin), scales, offsets);
    }
}

internal readonly unsafe struct Q5_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q5_KBlock);
    public static int Group => 32;
    public static bool Signed => false;
    public static int Most => 31;
    public static int Zero => 0;
    public static bool HasOffset => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part)
    {
        var b = (Q5_KBlock*)block;
        Vector256<byte> low = Bits.Shift(Vector256.Load((byte*)&b->qs + 32 * (part / 2)), 4 * (part % 2)) & Vector256.Create((byte)15);
        Vector256<byte> high = Bits.Shift(Vector256.Load((byte*)&b->qh), part) & Vector256<byte>.One;
        return low | (high.AsUInt16() << 4).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        var b = (Q5_KBlock*)block;
        Bits.ScalesAndMins((byte*)&b->scales, Halves.ToSingle((byte*)&b->d), Halves.ToSingle((byte*)&b->dmin), scales, offsets);
    }
}

internal readonly unsafe struct Q6_KInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(Q6_KBlock);
    public static int Group => 16;
    public static bool Signed => false;
    public static int Zero => 32;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part)
    {
        var b = (Q6_KBlock*)block;
        int half = part / 4, quarter = part % 4;
        Vector256<byte> low = Bits.Shift(Vector256.Load((byte*)&b->ql + 64 * half + 32 * (quarter & 1)), quarter < 2 ? 0 : 4) & Vector256.Create((byte)15);
        Vector256<byte> high = Bits.Shift(Vector256.Load((byte*)&b->qh + 32 * half), 2 * quarter) & Vector256.Create((byte)3);
        return low | (high.AsUInt16() << 4).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        var b = (Q6_KBlock*)block;
        Bits.Scaled(Vector128.Load((sbyte*)&b->scales), Halves.ToSingle((byte*)&b->d), scales);
    }
}
