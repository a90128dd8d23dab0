using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

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
