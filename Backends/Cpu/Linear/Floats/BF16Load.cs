using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

internal readonly unsafe struct BF16Load : IFloatLoad
{
    public static int Bytes => 2;

    public static Vector256<float> Load8(byte* at)
    {
        if (Avx2.IsSupported) return (Avx2.ConvertToVector256Int32((ushort*)at) << 16).AsSingle();
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load((ushort*)at));
        return (Vector256.Create(low, high) << 16).AsSingle();
    }

    public static float Load1(byte* at) => BitConverter.Int32BitsToSingle(*(ushort*)at << 16);
}
