using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
    public static Vector256<byte> Load(byte* block, int part) => Bits.Nibbles((byte*)&((Q4_0Block*)block)->qs);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets) => scales[0] = Halves.ToSingle(block);
}
