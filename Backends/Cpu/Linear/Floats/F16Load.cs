using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

internal readonly unsafe struct F16Load : IFloatLoad
{
    public static int Bytes => 2;

    public static Vector256<float> Load8(byte* at) => Halves.ToSingle8(at);

    public static float Load1(byte* at) => Halves.ToSingle(at);
}
