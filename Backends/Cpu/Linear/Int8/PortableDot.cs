using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>Any machine: byte by byte of each int lane. The twin that the others are tested against.</summary>
internal readonly struct PortableDot : IInt8Dot
{
    public static bool WideUnsigned => false;

    public static Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x)
    {
        Vector256<int> a = w.AsInt32(), b = x.AsInt32();
        return sum + (a >> 24) * (b >> 24) + (a << 8 >> 24) * (b << 8 >> 24) + (a << 16 >> 24) * (b << 16 >> 24) + (a << 24 >> 24) * (b << 24 >> 24);
    }

    public static Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x) => AddSigned(sum, w.AsSByte(), x);
}
