using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>A block type that is unpacked to <see cref="StagedInt8"/> before it is multiplied: value = scale·q exactly, q a signed byte.</summary>
/// <remarks>Tested against the definition in Formats for every type.</remarks>
internal unsafe interface IStagedBlock
{
    /// <summary>Bytes of 256 values.</summary>
    static abstract int Bytes { get; }

    /// <summary>Unpacks 256 values, or the 32·<paramref name="parts"/> that a row ends with.</summary>
    /// <param name="block">The block; blocks of 32 lie one after the other.</param>
    /// <param name="parts">8; may be less where a block has 32 values.</param>
    /// <param name="points">The codebook of the type as bytes, where it has one.</param>
    /// <param name="values">256 bytes, written.</param>
    /// <param name="scales">16 scales, written.</param>
    static abstract void Unpack(byte* block, int parts, void* points, byte* values, float* scales);
}

/// <summary>256 signed bytes, then a scale for each sixteen of them.</summary>
internal readonly unsafe struct StagedInt8 : IInt8Block
{
    public const int ScalesAt = 256;

    public static int Length => 256;
    public static int Bytes => ScalesAt + 16 * sizeof(float);
    public static int Group => 16;
    public static bool Signed => true;
    public static int Zero => 0;
    public static bool HasOffset => false;
    public static bool EndsEarly => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* block, int part) => Vector256.Load(block + 32 * part);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* block, float* scales, float* offsets)
    {
        Vector256.Load((float*)(block + ScalesAt)).Store(scales);
        Vector256.Load((float*)(block + ScalesAt) + 8).Store(scales + 8);
    }
}
