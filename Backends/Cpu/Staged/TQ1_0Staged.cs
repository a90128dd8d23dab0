using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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
