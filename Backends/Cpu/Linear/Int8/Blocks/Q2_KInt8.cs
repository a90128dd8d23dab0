using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
