using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>As <see cref="IQ1_SStaged"/>, with a scale per 16 and a shift a point.</summary>
internal readonly unsafe struct IQ1_MStaged : IStagedBlock
{
    public static int Bytes => sizeof(IQ1_MBlock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (IQ1_MBlock*)block;
        ushort* index = stackalloc ushort[32];
        byte* low = (byte*)&b->qs;
        ushort* high = (ushort*)&b->qh;
        Index(low, (byte*)high).Store(index);
        Index(low + 16, (byte*)high + 8).Store(index + 16);

        ulong packed = Unsafe.ReadUnaligned<ulong>(&b->scales);
        ushort half = (ushort)(packed >> 12 & 15 | packed >> 24 & 0xf0 | packed >> 36 & 0xf00 | packed >> 48 & 0xf000);
        Vector256<ushort> odd = Points.Threes(Points.Spread((byte*)&b->scales)) >>> 7 | Vector256<ushort>.One;
        Bits.Scaled(Vector128.Narrow(odd.GetLower(), odd.GetUpper()).AsSByte(), Halves.ToSingle((byte*)&half) * 0.125f, scales);

        // The top bit of each point's half byte, for the eight values of that point.
        Vector256<ushort> down = Vector256.Create(0x0008000800080008ul, 0x0080008000800080, 0x0800080008000800, 0x8000800080008000).AsUInt16();
        for (int part = 0; part < 8; part++)
        {
            Vector256<byte> shift = Vector256.Equals(Vector256.Create(high[part]) & down, down).AsByte() | Vector256<byte>.One;
            (Points.Eights((ulong*)points, index + 4 * part) + shift).Store(values + 32 * part);
        }
    }

    /// <summary>Sixteen indices: a byte each, and three bits of the half bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Index(byte* low, byte* high)
    {
        Vector128<ushort> words = Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(high)).AsByte());
        Vector256<uint> pairs = Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words));
        pairs = pairs << 8 & Vector256.Create(0x700u) | pairs << 20 & Vector256.Create(0x7000000u);
        return Points.Widen(low) | pairs.AsUInt16();
    }
}
