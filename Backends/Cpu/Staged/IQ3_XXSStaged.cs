using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>(2·scale + 1) · d / 4; signs in seven bits.</summary>
internal readonly unsafe struct IQ3_XXSStaged : IStagedBlock
{
    public static int Bytes => sizeof(IQ3_XXSBlock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (IQ3_XXSBlock*)block;
        ushort* index = stackalloc ushort[64];
        uint* signs = stackalloc uint[8];
        byte* low = (byte*)&b->qs;
        for (int i = 0; i < 64; i += 16) Points.Widen(low + i).Store(index + i);
        Vector256<uint> rest = Vector256.Load((uint*)&b->rest);
        Points.Even(Points.Sevens(rest)).Store(signs);
        Points.Pairs((rest >>> 27 | Vector256<uint>.One).AsInt32(), Halves.ToSingle(block) * 0.25f, scales);
        Points.Fours((uint*)points, index, signs, values);
    }
}
