using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
