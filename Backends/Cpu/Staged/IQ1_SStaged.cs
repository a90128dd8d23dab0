using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>(2·scale + 1) · d / 8 times eight times a point, one more or one less: the shift of an eighth.</summary>
internal readonly unsafe struct IQ1_SStaged : IStagedBlock
{
    public static int Bytes => sizeof(IQ1_SBlock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (IQ1_SBlock*)block;
        ushort* index = stackalloc ushort[32];
        short* shifts = stackalloc short[8];
        byte* low = (byte*)&b->qs;
        byte* high = (byte*)&b->qh;
        (Points.Widen(low) | Points.Threes(Points.Spread(high))).Store(index);
        (Points.Widen(low + 16) | Points.Threes(Points.Spread(high + 8))).Store(index + 16);
        Vector128<ushort> words = Vector128.Load((ushort*)high), odd = words >>> 11 & Vector128.Create((ushort)14) | Vector128<ushort>.One;
        Points.Pairs(Vector256.Create(Vector128.WidenLower(odd), Vector128.WidenUpper(odd)).AsInt32(), Halves.ToSingle(block) * 0.125f, scales);
        (words.AsInt16() >> 15 | Vector128<short>.One).Store(shifts);
        for (int part = 0; part < 8; part++)
            (Points.Eights((ulong*)points, index + 4 * part) + Vector256.Create((byte)shifts[part])).Store(values + 32 * part);
    }
}
