using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

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

/// <summary>(2·scale + 1) · d / 8, a scale per 16; a bit for each sign, two high bits of the indices apart.</summary>
internal readonly unsafe struct IQ2_SStaged : IStagedBlock
{
    public static int Bytes => sizeof(IQ2_SBlock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (IQ2_SBlock*)block;
        ushort* index = stackalloc ushort[32];
        byte* low = (byte*)&b->qs;
        byte* high = (byte*)&b->qh;
        for (int i = 0; i < 2; i++)
        {
            // Each byte of four lies in four lanes, and a product brings the lane's pair of bits to bits 8 and 9.
            Vector256<ushort> bits = Vector256.Shuffle(Vector256.Create(Unsafe.ReadUnaligned<uint>(high + 4 * i)).AsByte(), Vector256.Create(
                (byte)0, 255, 0, 255, 0, 255, 0, 255, 1, 255, 1, 255, 1, 255, 1, 255, 18, 255, 18, 255, 18, 255, 18, 255, 19, 255, 19, 255, 19, 255, 19, 255)).AsUInt16()
                * Vector256.Create(256, 64, 16, 4, 256, 64, 16, 4, 256, 64, 16, 4, 256, 64, 16, 4).AsUInt16();
            (Points.Widen(low + 16 * i) | bits & Vector256.Create((ushort)0x300)).Store(index + 16 * i);
        }
        Bits.Scaled(Points.OddNibbles(Unsafe.ReadUnaligned<ulong>(&b->scales)), Halves.ToSingle(block) * 0.125f, scales);
        Points.Eights((ulong*)points, index, (uint*)&b->signs, values);
    }
}
