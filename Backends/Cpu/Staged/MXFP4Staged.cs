using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>Blocks of 32 floats of four bits with a power of two as scale.</summary>
internal readonly unsafe struct MXFP4Staged : IStagedBlock
{
    public static int Bytes => 8 * sizeof(MXFP4Block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(byte* block, int parts, void* points, byte* values, float* scales)
    {
        Vector128<byte> levels = Vector128.Create((sbyte)0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12).AsByte();
        for (int part = 0; part < parts; part++, block += sizeof(MXFP4Block), values += 32, scales += 2)
        {
            // Below 2^-126 the only bit is one of the mantissa.
            uint e = *block, bits = e < 2 ? 0x200000u << (int)e : e - 1 << 23;
            scales[0] = scales[1] = BitConverter.UInt32BitsToSingle(bits);
            Bits.LookUp(levels, Bits.Nibbles(block + 1)).Store(values);
        }
    }
}
