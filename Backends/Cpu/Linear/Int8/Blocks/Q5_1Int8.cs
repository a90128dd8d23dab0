using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
    public static Vector256<byte> Load(byte* block, int part) => Bits.Nibbles((byte*)&((Q5_1Block*)block)->qs) | Bits.Sixteens(((Q5_1Block*)block)->h);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        scales[0] = Halves.ToSingle(block);
        offsets[0] = Halves.ToSingle((byte*)&((Q5_1Block*)block)->m);
    }
}
