using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

internal readonly unsafe struct IQ4_XSInt8 : IInt8Block
{
    public static int Length => 256;
    public static int Bytes => sizeof(IQ4_XSBlock);
    public static int Group => 32;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Bits.Levels(Bits.Nibbles((byte*)&((IQ4_XSBlock*)block)->qs + 16 * part));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        var b = (IQ4_XSBlock*)block;
        float d = Halves.ToSingle((byte*)&b->d);
        byte* low = (byte*)&b->sl;
        for (int i = 0; i < 8; i++) scales[i] = d * ((low[i / 2] >> 4 * (i % 2) & 15 | (b->sh >> 2 * i & 3) << 4) - 32);
    }
}
