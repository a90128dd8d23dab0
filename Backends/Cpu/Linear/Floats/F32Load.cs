using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

internal readonly unsafe struct F32Load : IFloatLoad
{
    public static int Bytes => 4;

    public static Vector256<float> Load8(byte* at) => Vector256.Load((float*)at);

    public static float Load1(byte* at) => *(float*)at;
}
