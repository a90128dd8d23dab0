using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

internal readonly unsafe struct Q8_0Int8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(Q8_0Block);
    public static int Group => 32;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Vector256.Load((byte*)&((Q8_0Block*)block)->qs);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets) => scales[0] = Halves.ToSingle(block);
}
