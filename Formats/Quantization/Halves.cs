using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>Rows of IEEE halves to float32 and back, eight at a time without a conversion instruction; the same bits as the casts of .NET, but for a NaN's payload.</summary>
internal static class Halves
{
    /// <summary>2^112: the difference of the two exponent biases.</summary>
    private const float Rebias = 5.192296858534828e33f;

    /// <summary>Halves to float32, exact.</summary>
    public static void Widen(ReadOnlySpan<ushort> halves, Span<float> values)
    {
        ReadOnlySpan<Vector128<ushort>> from = MemoryMarshal.Cast<ushort, Vector128<ushort>>(halves);
        Span<Vector256<float>> to = MemoryMarshal.Cast<float, Vector256<float>>(values);
        for (int i = 0; i < from.Length; i++)
        {
            Vector256<uint> bits = Vector256.Create(Vector128.WidenLower(from[i]), Vector128.WidenUpper(from[i]));
            Vector256<uint> magnitude = bits & Vector256.Create(0x7fffu), sign = (bits & Vector256.Create(0x8000u)) << 16;
            // Subnormal halves come out right too, as the product normalises them; infinities and NaNs need the highest exponent.
            Vector256<uint> finite = ((magnitude << 13).AsSingle() * Rebias).AsUInt32();
            Vector256<uint> special = Vector256.GreaterThan(magnitude, Vector256.Create(0x7bffu)) & Vector256.Create(0x7f800000u);
            to[i] = (finite | special | sign).AsSingle();
        }
        for (int i = from.Length * 8; i < halves.Length; i++) values[i] = (float)BitConverter.UInt16BitsToHalf(halves[i]);
    }

    /// <summary>Float32 to halves, to nearest even; too large becomes infinite, NaN stays NaN.</summary>
    public static void Narrow(ReadOnlySpan<float> values, Span<ushort> halves)
    {
        ReadOnlySpan<Vector256<float>> from = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Span<Vector128<ushort>> to = MemoryMarshal.Cast<ushort, Vector128<ushort>>(halves);
        for (int i = 0; i < from.Length; i++)
        {
            Vector256<uint> bits = from[i].AsUInt32(), magnitude = bits & Vector256.Create(0x7fffffffu), sign = (bits >> 16) & Vector256.Create(0x8000u);
            // Normal: the exponent rebiased by 112 and half a unit less a bit added, a whole half where the last bit kept is odd.
            Vector256<uint> normal = (magnitude - Vector256.Create((112u << 23) - 0xfff) + ((magnitude >> 13) & Vector256<uint>.One)) >> 13;
            // Subnormal: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits.
            Vector256<uint> subnormal = (magnitude.AsSingle() + Vector256.Create(0.5f)).AsUInt32() - Vector256.Create(0x3f000000u);
            Vector256<uint> half = Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(0x38800000u)), subnormal, normal);
            Vector256<uint> infinite = Vector256.GreaterThan(magnitude, Vector256.Create(0x477fffffu)), nan = Vector256.GreaterThan(magnitude, Vector256.Create(0x7f800000u));
            half = Vector256.ConditionalSelect(infinite, Vector256.Create(0x7c00u), half);
            half = Vector256.ConditionalSelect(nan, Vector256.Create(0x7e00u), half) | sign;
            to[i] = Vector128.Narrow(half.GetLower(), half.GetUpper());
        }
        for (int i = from.Length * 8; i < values.Length; i++) halves[i] = BitConverter.HalfToUInt16Bits((Half)values[i]);
    }
}
