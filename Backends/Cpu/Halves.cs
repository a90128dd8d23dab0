using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>IEEE halves to float32 without a conversion instruction, exact for both signs and for subnormals.</summary>
/// <remarks>
/// The scales of 6-bit blocks are subnormal halves as a rule, and arithmetic on subnormal floats costs a hundred cycles: so a normal half moves its exponent
/// by an integer addition, and a subnormal one is 2^−14·(1 + m/1024) − 2^−14. Infinities and NaNs become large finite numbers; weights have none.
/// </remarks>
internal static unsafe class Halves
{
    /// <summary>112 in the exponent field: the difference of the two exponent biases.</summary>
    private const int Rebias = 112 << 23;

    /// <summary>The bits of 2^−14, the smallest normal half.</summary>
    private const int SmallestNormal = 113 << 23;

    /// <summary>The half at an address of any alignment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(byte* half)
    {
        int bits = Unsafe.ReadUnaligned<ushort>(half), magnitude = (bits & 0x7fff) << 13;
        int value = magnitude < 1 << 23
            ? BitConverter.SingleToInt32Bits(BitConverter.Int32BitsToSingle(magnitude | SmallestNormal) - BitConverter.Int32BitsToSingle(SmallestNormal))
            : magnitude + Rebias;
        return BitConverter.Int32BitsToSingle(value | (bits & 0x8000) << 16);
    }

    /// <summary>Eight halves in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle(Vector128<ushort> halves)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(halves);
        Vector256<int> moved = Vector256.Create(low, high).AsInt32() << 16 >> 3;
        Vector256<int> magnitude = moved & Vector256.Create(0x0fffe000), sign = moved & Vector256.Create(int.MinValue);
        Vector256<int> normal = magnitude + Vector256.Create(Rebias), smallest = Vector256.Create(SmallestNormal);
        Vector256<int> subnormal = ((magnitude | smallest).AsSingle() - smallest.AsSingle()).AsInt32();
        return (Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(1 << 23)), subnormal, normal) | sign).AsSingle();
    }
}
