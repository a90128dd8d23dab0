using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace MambaRT.Backends.Cpu;

/// <summary>Arm64 with the dot product extension.</summary>
internal readonly struct ArmDot : IInt8Dot
{
    public static bool WideUnsigned => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x) =>
        Vector256.Create(Dp.DotProduct(sum.GetLower(), w.GetLower(), x.GetLower()), Dp.DotProduct(sum.GetUpper(), w.GetUpper(), x.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x) => AddSigned(sum, w.AsSByte(), x);
}
