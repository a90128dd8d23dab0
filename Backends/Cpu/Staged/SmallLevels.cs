using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>-1, 0 and 1 with one scale, five to a byte in base three.</summary>
internal readonly unsafe struct TQ1_0Staged : IStagedBlock
{
    public static int Bytes => sizeof(TQ1_0Block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (TQ1_0Block*)block;
        Points.Fill(Halves.ToSingle((byte*)&b->d), scales);
        // A byte is a fraction of 256, and its next digit tells in which third it lies. It is kept 128 lower, as only signed bytes are compared; three
        // times that is 128 lower again.
        Vector256<sbyte> x = (Vector256.Load((byte*)&b->qs) ^ Vector256.Create((byte)128)).AsSByte();
        for (int n = 0; n < 5; n++, x += x + x) Digit(x).Store((sbyte*)values + 32 * n);
        // Sixteen bytes: two digits of each fill a vector.
        Vector128<sbyte> y = (Vector128.Load((byte*)&b->qs + 32) ^ Vector128.Create((byte)128)).AsSByte();
        Vector256<sbyte> two = Vector256.Create(y, y + y + y);
        Digit(two).Store((sbyte*)values + 160);
        two = Nine(two);
        Digit(two).Store((sbyte*)values + 192);
        // The last digit of those, and the four of four bytes, which follow each other.
        Vector128<ushort> z = Vector128.WidenLower(Vector128.Create(Unsafe.ReadUnaligned<uint>(&b->qh)).AsByte());
        Vector128<ushort> low = z * Vector128.Create(1, 1, 1, 1, 3, 3, 3, 3).AsUInt16(), high = z * Vector128.Create(9, 9, 9, 9, 27, 27, 27, 27).AsUInt16();
        Digit(Vector256.Create(Nine(two).GetLower(), (Vector128.Narrow(low, high) ^ Vector128.Create((byte)128)).AsSByte())).Store((sbyte*)values + 224);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Nine(Vector256<sbyte> x)
    {
        x += x + x;
        return x + (x + x);
    }

    /// <summary>The third of 256 that a byte, 128 too low, lies in, less one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Digit(Vector256<sbyte> x) =>
        Vector256.GreaterThan(Vector256.Create((sbyte)(86 - 128)), x) - Vector256.GreaterThan(x, Vector256.Create((sbyte)(170 - 128)));
}

/// <summary>-1, 0, 1 and 2 with one scale, four to a byte.</summary>
internal readonly unsafe struct TQ2_0Staged : IStagedBlock
{
    public static int Bytes => sizeof(TQ2_0Block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (TQ2_0Block*)block;
        Points.Fill(Halves.ToSingle((byte*)&b->d), scales);
        for (int half = 0; half < 2; half++, values += 128)
        {
            Vector256<byte> v = Vector256.Load((byte*)&b->qs + 32 * half), three = Vector256.Create((byte)3);
            ((v & three) - Vector256<byte>.One).Store(values);
            ((Bits.Shift(v, 2) & three) - Vector256<byte>.One).Store(values + 32);
            ((Bits.Shift(v, 4) & three) - Vector256<byte>.One).Store(values + 64);
            ((Bits.Shift(v, 6) & three) - Vector256<byte>.One).Store(values + 96);
        }
    }
}

/// <summary>Blocks of 32 floats of four bits with a power of two as scale.</summary>
internal readonly unsafe struct MXFP4Staged : IStagedBlock
{
    public static int Bytes => 8 * sizeof(MXFP4Block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        Vector128<byte> levels = Vector128.Create((sbyte)0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12).AsByte();
        for (int part = 0; part < parts; part++, block += sizeof(MXFP4Block), values += 32, scales += 2)
        {
            // Below 2^-126 the only bit is one of the mantissa.
            uint e = *block, bits = e < 2 ? 0x200000u << (int)e : e - 1 << 23;
            scales[0] = scales[1] = BitConverter.UInt32BitsToSingle(bits);
            Bits.LookUp(levels, Bits.Nibbles(block + 1)).Store(values);
        }
    }
}
