using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>256 signed bytes, then a scale for each sixteen of them.</summary>
internal readonly unsafe struct StagedInt8 : IInt8Block
{
    public const int ScalesAt = 256;

    public static int Length => 256;
    public static int Bytes => ScalesAt + 16 * sizeof(float);
    public static int Group => 16;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;
    public static bool EndsEarly => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Vector256.Load(block + 32 * part);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        Vector256.Load((float*)(block + ScalesAt)).Store(scales);
        Vector256.Load((float*)(block + ScalesAt) + 8).Store(scales + 8);
    }
}
