using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>(2·scale + 1) · d; a bit for each sign, ninth bits of the indices.</summary>
internal readonly unsafe struct IQ3_SStaged : IStagedBlock
{
    public static int Bytes => sizeof(IQ3_SBlock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (IQ3_SBlock*)block;
        ushort* index = stackalloc ushort[64];
        byte* low = (byte*)&b->qs;
        byte* high = (byte*)&b->qh;
        for (int i = 0; i < 4; i++)
        {
            // A product brings each point's bit of its group's byte to bit 8.
            Vector256<ushort> bits = Vector256.Create(Vector128.Create((ushort)high[2 * i]), Vector128.Create((ushort)high[2 * i + 1]))
                * Vector256.Create(256, 128, 64, 32, 16, 8, 4, 2, 256, 128, 64, 32, 16, 8, 4, 2).AsUInt16();
            (Points.Widen(low + 16 * i) | bits & Vector256.Create((ushort)256)).Store(index + 16 * i);
        }
        Vector128<ushort> odd = Vector128.WidenLower(Points.OddNibbles(Unsafe.ReadUnaligned<uint>(&b->scales)).AsByte());
        Points.Pairs(Vector256.Create(Vector128.WidenLower(odd), Vector128.WidenUpper(odd)).AsInt32(), Halves.ToSingle(block), scales);
        Points.Fours((uint*)points, index, (uint*)&b->signs, values);
    }
}
