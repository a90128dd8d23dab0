using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
