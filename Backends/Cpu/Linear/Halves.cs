using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <summary>IEEE halves to float32 without a conversion instruction, exact for both signs and for subnormals.</summary>
/// <remarks>
/// Adding 112 to the exponent field gives n, right for normal halves; for a subnormal one, which has no leading 1, 2n − 2^−14 is right. The right one
/// is always the smaller. So no arithmetic meets a subnormal float, which would cost a hundred cycles: the scales of 6-bit blocks are subnormal halves as
/// a rule. Infinities and NaNs become large finite numbers; <c>FiniteWeights</c> lets no weight with one come here.
/// </remarks>
internal static unsafe class Halves
{
    /// <summary>112 in the exponent field: the difference of the two exponent biases.</summary>
    private const int Rebias = 112 << 23;

    /// <summary>2^−14, the smallest normal half.</summary>
    private const float SmallestNormal = 6.103515625e-5f;

    /// <summary>The half at an address of any alignment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(byte* half)
    {
        int bits = Unsafe.ReadUnaligned<ushort>(half);
        float n = BitConverter.Int32BitsToSingle(((bits & 0x7fff) << 13) + Rebias), magnitude = Math.Min(n, n + n - SmallestNormal);
        return BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(magnitude) | (bits & 0x8000) << 16);
    }

    /// <summary>Eight halves in order, from an address of any alignment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle8(byte* halves) =>
        Join(Avx2.IsSupported ? Avx2.ConvertToVector256Int32((short*)halves) : Widen(Vector128.Load((short*)halves)));

    /// <summary>Eight halves in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle(Vector128<ushort> halves) => Join(Widen(halves.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(Vector128<short> halves) => Avx2.IsSupported
        ? Avx2.ConvertToVector256Int32(halves)
        : Vector256.Create(Vector128.WidenLower(halves), Vector128.WidenUpper(halves));

    /// <summary>Sign-extended halves: the sign is in bit 31 already, the rest goes to bits 13 to 27.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Join(Vector256<int> halves)
    {
        Vector256<float> n = ((halves << 13 & Vector256.Create(0x0fffe000)) + Vector256.Create(Rebias)).AsSingle();
        Vector256<float> magnitude = Vector256.MinNative(n, Vector256.FusedMultiplyAdd(n, Vector256.Create(2f), Vector256.Create(-SmallestNormal)));
        return magnitude | (halves & Vector256.Create(int.MinValue)).AsSingle();
    }
}
