using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
