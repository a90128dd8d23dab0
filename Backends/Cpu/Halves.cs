using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>IEEE halves to float32 without a conversion instruction: the exponent field moves by 112, exact for subnormals and both signs.</summary>
/// <remarks>Infinities and NaNs become large finite numbers; weights have none.</remarks>
internal static unsafe class Halves
{
    private const float TwoTo112 = 5.192296858534828e+33f;

    /// <summary>One half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort half) =>
        BitConverter.Int32BitsToSingle((half & 0x8000) << 16 | (half & 0x7fff) << 13) * TwoTo112;

    /// <summary>The half at an address of any alignment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(byte* half) => ToSingle(Unsafe.ReadUnaligned<ushort>(half));

    /// <summary>Eight halves in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle(Vector128<ushort> halves)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(halves);
        Vector256<uint> wide = Vector256.Create(low, high);
        Vector256<uint> magnitude = (wide & Vector256.Create(0x7fffu)) << 13, sign = (wide & Vector256.Create(0x8000u)) << 16;
        return (magnitude | sign).AsSingle() * Vector256.Create(TwoTo112);
    }
}
