using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// Products of bytes, summed exactly into ints: lane i of the sum takes the products of bytes 4i to 4i + 3. A type argument of the kernels, so
/// that the choice is made once and not in the inner loop; all of them give the same integers.
/// </summary>
internal interface IInt8Dot
{
    /// <summary>Whether <see cref="AddUnsigned"/> is exact for w up to 255; else up to 63.</summary>
    static abstract bool WideUnsigned { get; }

    /// <summary>sum + w·x for w in −128..127 and x in −127..127.</summary>
    static abstract Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x);

    /// <summary>sum + w·x for unsigned w and x in −127..127.</summary>
    static abstract Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x);

    /// <summary>Whether there are <see cref="Pairs"/>: it is then cheaper to add these up and to make ints of them seldom.</summary>
    static virtual bool ByPairs => false;

    /// <summary>w·x of two neighbours for w up to 128: half of what <see cref="AddUnsigned"/> adds, a lane of 16 bit each.</summary>
    static virtual Vector256<short> Pairs(Vector256<byte> w, Vector256<sbyte> x) => throw new NotSupportedException();

    /// <summary>Sums of two neighbouring sums.</summary>
    static virtual Vector256<int> Fours(Vector256<short> pairs) => throw new NotSupportedException();
}

/// <summary>AVX-VNNI: one instruction for 32 products.</summary>
internal readonly struct VnniDot : IInt8Dot
{
    public static bool WideUnsigned => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x) =>
        AvxVnni.MultiplyWideningAndAdd(sum, Avx2.Abs(w), Avx2.Sign(x, w));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x) =>
        AvxVnni.MultiplyWideningAndAdd(sum, w, x);
}

/// <summary>AVX2: products of unsigned by signed bytes are added in pairs to 16 bit, which |w|·|x|·2 does not overflow for |w| up to 128.</summary>
internal readonly struct Avx2Dot : IInt8Dot
{
    public static bool WideUnsigned => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x) =>
        AddUnsigned(sum, Avx2.Abs(w), Avx2.Sign(x, w));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x) => sum + Fours(Pairs(w, x));

    public static bool ByPairs => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> Pairs(Vector256<byte> w, Vector256<sbyte> x) => Avx2.MultiplyAddAdjacent(w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Fours(Vector256<short> pairs) => Avx2.MultiplyAddAdjacent(pairs, Vector256<short>.One);
}

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
