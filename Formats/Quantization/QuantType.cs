using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>A storage type of weights: what the rest of the program holds in place of a block struct.</summary>
/// <remarks>Immutable; one instance per type, listed in <see cref="QuantTypes"/>. Safe to share between threads.</remarks>
public abstract class QuantType
{
    private protected QuantType(string name, int ggufId, int blockLength, int blockBytes)
    {
        Name = name;
        GgufId = ggufId;
        BlockLength = blockLength;
        BlockBytes = blockBytes;
    }

    /// <summary>The name users know the type by, such as "Q4_K".</summary>
    public string Name { get; }

    /// <summary>The type's number in GGUF tensor headers.</summary>
    public int GgufId { get; }

    /// <summary>Values per block; a row holds whole blocks.</summary>
    public int BlockLength { get; }

    /// <summary>Bytes per block: the size of the block struct.</summary>
    public int BlockBytes { get; }

    /// <summary>Whether <see cref="EncodeRow"/> is implemented.</summary>
    public virtual bool CanEncode => false;

    /// <summary>Bytes of one row of <paramref name="columns"/> values, which must be whole blocks.</summary>
    public long RowBytes(int columns) => columns % BlockLength == 0
        ? (long)columns / BlockLength * BlockBytes
        : throw new ArgumentException($"A row of {columns} values is not a whole number of {Name} blocks of {BlockLength}.");

    /// <summary>Decodes whole blocks.</summary>
    /// <param name="row">Whole blocks of this type.</param>
    /// <param name="values">Exactly as many floats as the blocks hold.</param>
    public abstract void DecodeRow(ReadOnlySpan<byte> row, Span<float> values);

    /// <summary>Whether every value of some whole blocks is finite, told from their bytes: no value is decoded.</summary>
    public abstract bool AllFinite(ReadOnlySpan<byte> row);

    /// <summary>Encodes whole blocks.</summary>
    /// <param name="values">Finite floats, whole blocks.</param>
    /// <param name="importance">As long as <paramref name="values"/>, or empty.</param>
    /// <param name="row">Exactly <see cref="RowBytes"/> bytes.</param>
    /// <exception cref="NotSupportedException">This type is only read.</exception>
    public virtual void EncodeRow(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<byte> row) => EnsureWritable();

    /// <summary>Checks before work begins that this type can be written.</summary>
    /// <exception cref="NotSupportedException">It is only read; the message lists those that can be.</exception>
    public void EnsureWritable()
    {
        if (!CanEncode) throw new NotSupportedException($"MambaRT reads {Name} but does not write it. Choose one of: {string.Join(", ", QuantTypes.All.Where(t => t.CanEncode).Select(t => t.Name))}.");
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>The bridge from a block struct to <see cref="QuantType"/>.</summary>
internal class QuantType<TBlock> : QuantType where TBlock : unmanaged, IBlockFormat<TBlock>
{
    internal QuantType() : base(TBlock.Name, TBlock.GgufId, TBlock.Length, Unsafe.SizeOf<TBlock>()) { }

    public sealed override void DecodeRow(ReadOnlySpan<byte> row, Span<float> values)
    {
        ReadOnlySpan<TBlock> blocks = MemoryMarshal.Cast<byte, TBlock>(row);
        if ((long)blocks.Length * TBlock.Length != values.Length || (long)blocks.Length * BlockBytes != row.Length)
            throw new ArgumentException($"{row.Length} bytes of {Name} do not hold {values.Length} values.");
        TBlock.DecodeAll(blocks, values);
    }

    public sealed override bool AllFinite(ReadOnlySpan<byte> row) => TBlock.AllFinite(MemoryMarshal.Cast<byte, TBlock>(row));
}

/// <summary>The bridge from a block struct that can also be written.</summary>
internal sealed class EncodableQuantType<TBlock> : QuantType<TBlock> where TBlock : unmanaged, IBlockEncoder<TBlock>
{
    public override bool CanEncode => true;

    public override void EncodeRow(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<byte> row)
    {
        Span<TBlock> blocks = MemoryMarshal.Cast<byte, TBlock>(row);
        if ((long)blocks.Length * TBlock.Length != values.Length || (long)blocks.Length * BlockBytes != row.Length)
            throw new ArgumentException($"{row.Length} bytes of {Name} do not hold {values.Length} values.");
        TBlock.EncodeAll(values, importance, blocks);
    }
}
