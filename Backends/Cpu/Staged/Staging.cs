using System.Collections.Concurrent;
using System.Runtime.Intrinsics.X86;
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
        "IQ1_S" => new Staging<IQ1_SStaged>(Codebook(IQ1Grid.Points, 2, [-8, 0, 8])),
        "IQ1_M" => new Staging<IQ1_MStaged>(Codebook(IQ1Grid.Points, 2, [-8, 0, 8])),
        "IQ2_XXS" => new Staging<IQ2_XXSStaged>(Codebook(IQ2Grids.XXS, 2, [8, 25, 43])),
        "IQ2_XS" => new Staging<IQ2_XSStaged>(Codebook(IQ2Grids.XS, 2, [8, 25, 43])),
        "IQ2_S" => new Staging<IQ2_SStaged>(Codebook(IQ2Grids.S, 2, [8, 25, 43])),
        "IQ3_XXS" => new Staging<IQ3_XXSStaged>(Codebook(IQ3Grids.XXS, 3, [4, 12, 20, 28, 36, 44, 52, 62])),
        "IQ3_S" => new Staging<IQ3_SStaged>(Codebook(IQ3Grids.S, 3, [1, 3, 5, 7, 9, 11, 13, 15])),
        "TQ1_0" => new Staging<TQ1_0Staged>([]),
        "TQ2_0" => new Staging<TQ2_0Staged>([]),
        "MXFP4" => new Staging<MXFP4Staged>([]),
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

/// <param name="codebook">Pinned, or empty.</param>
internal sealed unsafe class Staging<TBlock>(byte[] codebook) : Staging where TBlock : struct, IStagedBlock
{
    /// <summary>How far ahead memory is asked for: the machine's own foresight ends at the page.</summary>
    private const int AheadBytes = 4096;

    private readonly byte[] _codebook = codebook;   // keeps what the kernels' pointer leads to

    public override void Unpack(byte* rows, long rowBytes, int count, int columns, byte* to)
    {
        fixed (byte* points = _codebook)
            for (; count > 0; count--, rows += rowBytes)
            {
                byte* block = rows;
                for (int left = columns / 32; left > 0; left -= 8, block += TBlock.Bytes, to += StagedInt8.Bytes)
                {
                    if (Sse.IsSupported) Sse.Prefetch0(block + AheadBytes);
                    if (Sse.IsSupported && TBlock.Bytes > 64) Sse.Prefetch0(block + AheadBytes + 64);
                    if (left < 8) new Span<float>(to + StagedInt8.ScalesAt, 16).Clear();
                    TBlock.Unpack(block, Math.Min(left, 8), points, to, (float*)(to + StagedInt8.ScalesAt));
                }
            }
    }
}

/// <summary>The rows of a matrix as blocks that a kernel can load: where they are stored, or unpacked.</summary>
internal readonly unsafe struct BlockRows(TensorView weights, Staging? staging)
{
    /// <summary>What unpacked rows may take of the first-level cache while a few activations are multiplied with them.</summary>
    private const long Budget = 16 << 10;

    private readonly byte* _address = (byte*)weights.Address;
    private readonly long _stored = weights.RowBytes;
    private readonly int _columns = weights.Columns;

    /// <summary>Whether they are unpacked.</summary>
    public bool Staged => staging != null;

    /// <summary>Bytes from one row to the next.</summary>
    public long Stride { get; } = staging != null ? Staging.RowBytes(weights.Columns) : weights.RowBytes;

    /// <summary>Scratch that <see cref="Take"/> needs for the rows of a panel.</summary>
    public long ScratchBytes => staging != null ? WeightKernel.PanelRows * Stride : 0;

    /// <summary>Rows that are taken at a time where each is read once: of unpacked ones at most those of a panel.</summary>
    public int Together => staging != null ? (int)Math.Clamp(Budget / Stride, 1, WeightKernel.PanelRows) : int.MaxValue;

    /// <summary>The first of <paramref name="count"/> rows; unpacked ones lie in the scratch.</summary>
    public byte* Take(int begin, int count, byte* scratch)
    {
        byte* rows = _address + begin * _stored;
        if (staging == null) return rows;
        staging.Unpack(rows, _stored, count, _columns, scratch);
        return scratch;
    }
}
