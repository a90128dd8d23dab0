using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>How eight neighbouring weights of a float type become float32.</summary>
internal unsafe interface IFloatLoad
{
    static abstract int Bytes { get; }

    static abstract Vector256<float> Load8(byte* at);

    static abstract float Load1(byte* at);
}
