using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>(2·scale + 1) · d / 8, a scale per 16; nine bits of index, then signs in seven.</summary>
internal readonly unsafe struct IQ2_XSStaged : IStagedBlock
{
    public static int Bytes => sizeof(IQ2_XSBlock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (IQ2_XSBlock*)block;
        ushort* index = stackalloc ushort[32];
        uint* signs = stackalloc uint[8];
        Vector256<ushort> first = Vector256.Load((ushort*)&b->qs), second = Vector256.Load((ushort*)&b->qs + 16), nine = Vector256.Create((ushort)511);
        (first & nine).Store(index);
        (second & nine).Store(index + 16);
        Points.Even(Vector256.Narrow(first >>> 9, second >>> 9).AsUInt32()).Store(signs);
        Bits.Scaled(Points.OddNibbles(Unsafe.ReadUnaligned<ulong>(&b->scales)), Halves.ToSingle(block) * 0.125f, scales);
        Points.Eights((ulong*)points, index, signs, values);
    }
}
