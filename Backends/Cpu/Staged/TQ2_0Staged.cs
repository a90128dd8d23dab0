using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>-1, 0, 1 and 2 with one scale, four to a byte.</summary>
internal readonly unsafe struct TQ2_0Staged : IStagedBlock
{
    public static int Bytes => sizeof(TQ2_0Block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        var b = (TQ2_0Block*)block;
        Points.Fill(Halves.ToSingle((byte*)&b->d), scales);
        for (int half = 0; half < 2; half++, values += 128)
        {
            Vector256<byte> v = Vector256.Load((byte*)&b->qs + 32 * half), three = Vector256.Create((byte)3);
            ((v & three) - Vector256<byte>.One).Store(values);
            ((Bits.Shift(v, 2) & three) - Vector256<byte>.One).Store(values + 32);
            ((Bits.Shift(v, 4) & three) - Vector256<byte>.One).Store(values + 64);
            ((Bits.Shift(v, 6) & three) - Vector256<byte>.One).Store(values + 96);
        }
    }
}
