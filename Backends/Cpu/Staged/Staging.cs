using System.Collections.Concurrent;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// Unpacks rows of a type to blocks of <see cref="StagedInt8"/>, so that one kernel serves every type whose blocks are looked up in a codebook or are
/// otherwise too far from bytes to be loaded as such. A row is unpacked once for all the activations it is multiplied with.
/// </summary>
internal abstract unsafe class Staging
{
    private static readonly ConcurrentDictionary<string, Staging?> ByType = new();

    /// <summary>The unpacking of a type, or null where it has none. Codebooks are laid out when they are first asked for.</summary>
    public static Staging? For(QuantType type) => ByType.GetOrAdd(type.Name, static name => name switch
    {
        "IQ1_S" => new BlockStaging<IQ1_SStaged>(Codebook(IQ1Grid.Points, 2, [-8, 0, 8])),
        "IQ1_M" => new BlockStaging<IQ1_MStaged>(Codebook(IQ1Grid.Points, 2, [-8, 0, 8])),
        "IQ2_XXS" => new BlockStaging<IQ2_XXSStaged>(Codebook(IQ2Grids.XXS, 2, [8, 25, 43])),
        "IQ2_XS" => new BlockStaging<IQ2_XSStaged>(Codebook(IQ2Grids.XS, 2, [8, 25, 43])),
        "IQ2_S" => new BlockStaging<IQ2_SStaged>(Codebook(IQ2Grids.S, 2, [8, 25, 43])),
        "IQ3_XXS" => new BlockStaging<IQ3_XXSStaged>(Codebook(IQ3Grids.XXS, 3, [4, 12, 20, 28, 36, 44, 52, 62])),
        "IQ3_S" => new BlockStaging<IQ3_SStaged>(Codebook(IQ3Grids.S, 3, [1, 3, 5, 7, 9, 11, 13, 15])),
        "TQ1_0" => new BlockStaging<TQ1_0Staged>([]),
        "TQ2_0" => new BlockStaging<TQ2_0Staged>([]),
        "MXFP4" => new BlockStaging<MXFP4Staged>([]),
        _ => null,
    });

    /// <summary>Bytes of an unpacked row: whole blocks of 256 values.</summary>
    public static long RowBytes(int columns) => (columns + 255L) / 256 * StagedInt8.Bytes;

    /// <summary>Unpacks rows.</summary>
    /// <param name="rows">The first one.</param>
    /// <param name="rowBytes">From one to the next.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">Values of a row.</param>
    /// <param name="to">Room for as many times <see cref="RowBytes"/>. Values past the last column are left as they were, with scales of zero.</param>
    public abstract void Unpack(byte* rows, long rowBytes, int count, int columns, byte* to);

    /// <summary>Points of 16 bits as bytes that are loaded whole: eight values of two bits, or four of three.</summary>
    private static byte[] Codebook(ReadOnlySpan<ushort> points, int bits, ReadOnlySpan<sbyte> levels)
    {
        int length = bits == 2 ? 8 : 4, mask = (1 << bits) - 1;
        byte[] bytes = GC.AllocateUninitializedArray<byte>(points.Length * length, pinned: true);
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)levels[points[i / length] >> bits * (i % length) & mask];
        return bytes;
    }
}
