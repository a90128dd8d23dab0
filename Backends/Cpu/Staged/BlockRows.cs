using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>The rows of a matrix as blocks that a kernel can load: where they are stored, or unpacked.</summary>
internal readonly unsafe struct BlockRows(TensorView weights, Staging? staging)
{
    /// <summary>What unpacked rows may take of the first-level cache while a few activations are multiplied with them.</summary>
    private const long Budget = 16 << 10;

    private readonly byte* _address = (byte*)weights.Address;
    private readonly long _stored = weights.Stride;
    private readonly int _columns = weights.Columns;

    /// <summary>Whether they are unpacked.</summary>
    public bool Staged => staging != null;

    /// <summary>Bytes from one row to the next.</summary>
    public long Stride { get; } = staging != null ? Staging.RowBytes(weights.Columns) : weights.Stride;

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
