using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
