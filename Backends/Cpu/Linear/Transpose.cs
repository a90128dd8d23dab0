using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <summary>Turns rows into columns while panels are laid out.</summary>
internal static unsafe class Transpose
{
    /// <summary>Eight vectors of eight ints to their transpose: row k of the result, <paramref name="stride"/> ints after the one before, holds lane k of a to h.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(
        Vector256<int> a, Vector256<int> b, Vector256<int> c, Vector256<int> d, Vector256<int> e, Vector256<int> f, Vector256<int> g, Vector256<int> h, int* to, int stride)
    {
        if (!Avx2.IsSupported)
        {
            for (int k = 0; k < 8; k++, to += stride)
                Vector256.Create(a.GetElement(k), b.GetElement(k), c.GetElement(k), d.GetElement(k), e.GetElement(k), f.GetElement(k), g.GetElement(k), h.GetElement(k)).Store(to);
            return;
        }
        // Pairs of ints, then pairs of pairs, within 128-bit halves; the halves are joined at the end.
        Vector256<long> ab0 = Avx2.UnpackLow(a, b).AsInt64(), ab1 = Avx2.UnpackHigh(a, b).AsInt64(), cd0 = Avx2.UnpackLow(c, d).AsInt64(), cd1 = Avx2.UnpackHigh(c, d).AsInt64();
        Vector256<long> ef0 = Avx2.UnpackLow(e, f).AsInt64(), ef1 = Avx2.UnpackHigh(e, f).AsInt64(), gh0 = Avx2.UnpackLow(g, h).AsInt64(), gh1 = Avx2.UnpackHigh(g, h).AsInt64();
        Vector256<long> p0 = Avx2.UnpackLow(ab0, cd0), p1 = Avx2.UnpackHigh(ab0, cd0), p2 = Avx2.UnpackLow(ab1, cd1), p3 = Avx2.UnpackHigh(ab1, cd1);
        Vector256<long> q0 = Avx2.UnpackLow(ef0, gh0), q1 = Avx2.UnpackHigh(ef0, gh0), q2 = Avx2.UnpackLow(ef1, gh1), q3 = Avx2.UnpackHigh(ef1, gh1);
        Avx2.Permute2x128(p0, q0, 0x20).AsInt32().Store(to);
        Avx2.Permute2x128(p1, q1, 0x20).AsInt32().Store(to + stride);
        Avx2.Permute2x128(p2, q2, 0x20).AsInt32().Store(to + 2 * stride);
        Avx2.Permute2x128(p3, q3, 0x20).AsInt32().Store(to + 3 * stride);
        Avx2.Permute2x128(p0, q0, 0x31).AsInt32().Store(to + 4 * stride);
        Avx2.Permute2x128(p1, q1, 0x31).AsInt32().Store(to + 5 * stride);
        Avx2.Permute2x128(p2, q2, 0x31).AsInt32().Store(to + 6 * stride);
        Avx2.Permute2x128(p3, q3, 0x31).AsInt32().Store(to + 7 * stride);
    }
}
