using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>(2·scale + 1) · d / 8; four indices, then signs in seven bits.</summary>
internal readonly unsafe struct IQ2_XXSStaged : IStagedBlock
{
    public static int Bytes => sizeof(IQ2_XXSBlock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (IQ2_XXSBlock*)block;
        ushort* index = stackalloc ushort[32];
        uint* signs = stackalloc uint[8];
        Vector256<ulong> lower = Vector256.Load((ulong*)&b->qs), upper = Vector256.Load((ulong*)&b->qs + 4);
        Vector256<ulong> words = Vector256.Create((ulong)uint.MaxValue);
        Vector256<byte> low = Vector256.Narrow(lower & words, upper & words).AsByte();
        (Vector256<ushort> first, Vector256<ushort> second) = Vector256.Widen(low);
        first.Store(index);
        second.Store(index + 16);
        Vector256<uint> rest = Vector256.Narrow(lower >>> 32, upper >>> 32);
        Points.Even(Points.Sevens(rest)).Store(signs);
        Points.Pairs((rest >>> 27 | Vector256<uint>.One).AsInt32(), Halves.ToSingle(block) * 0.125f, scales);
        Points.Eights((ulong*)points, index, signs, values);
    }
}
