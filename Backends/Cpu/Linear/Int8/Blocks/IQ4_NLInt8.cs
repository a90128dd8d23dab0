using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

internal readonly unsafe struct IQ4_NLInt8 : IInt8Block
{
    public static int Length => 32;
    public static int Bytes => sizeof(IQ4_NLBlock);
    public static int Group => 32;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Levels(Bits.Nibbles((byte*)&((IQ4_NLBlock*)block)->qs));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets) => scales[0] = Halves.ToSingle(block);
}
