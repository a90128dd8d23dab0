using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <summary>Products of signed bytes, summed exactly into ints: lane i of the sum takes the products of bytes 4i to 4i + 3.</summary>
internal static class Int8Dot
{
    /// <summary>sum + w·x over 32 products; w in −128..127, x in −127..127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add32(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x)
    {
        // x86 multiplies unsigned by signed bytes: |w| times x with the sign of w. |w|·|x|·2 stays below 2^15, so nothing saturates.
        if (AvxVnni.IsSupported) return AvxVnni.MultiplyWideningAndAdd(sum, Avx2.Abs(w), Avx2.Sign(x, w));
        if (Avx2.IsSupported)
            return sum + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Avx2.Abs(w), Avx2.Sign(x, w)), Vector256<short>.One);
        if (Dp.IsSupported)
            return Vector256.Create(Dp.DotProduct(sum.GetLower(), w.GetLower(), x.GetLower()), Dp.DotProduct(sum.GetUpper(), w.GetUpper(), x.GetUpper()));
        return sum + Add32Portable(w, x);
    }

    /// <summary>The twin of <see cref="Add32"/> for machines without a byte dot product: byte by byte of each int lane.</summary>
    internal static Vector256<int> Add32Portable(Vector256<sbyte> w, Vector256<sbyte> x)
    {
        Vector256<int> a = w.AsInt32(), b = x.AsInt32();
        return (a >> 24) * (b >> 24) + (a << 8 >> 24) * (b << 8 >> 24) + (a << 16 >> 24) * (b << 16 >> 24) + (a << 24 >> 24) * (b << 24 >> 24);
    }
}
