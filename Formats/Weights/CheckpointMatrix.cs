using System.Buffers;

namespace MambaRT.Formats;

/// <summary>A float tensor of a checkpoint, read row by row wherever its elements lie. Immutable; safe to read from several threads.</summary>
public sealed class CheckpointMatrix
{
    private readonly WeightBytes _file;
    private readonly long[] _shape;
    private readonly long[] _strides;
    private readonly long _offset;

    internal CheckpointMatrix(WeightBytes file, QuantType type, long[] shape, long[] strides, long offset, int rows, int columns)
    {
        _file = file;
        _shape = shape;
        _strides = strides;
        _offset = offset;
        Type = type;
        Rows = rows;
        Columns = columns;
    }

    /// <summary>F32, F16 or BF16.</summary>
    public QuantType Type { get; }

    /// <summary>Product of all sizes but the last.</summary>
    public int Rows { get; }

    /// <summary>The last size.</summary>
    public int Columns { get; }

    /// <summary>The same values as a view, if they lie one after the other.</summary>
    /// <param name="owner">Who frees the memory.</param>
    /// <param name="view">The view.</param>
    internal bool TryView(IDisposable owner, out TensorView view)
    {
        bool contiguous = true;
        long stride = 1;
        for (int i = _shape.Length - 1; i >= 0; i--)
        {
            contiguous &= _shape[i] == 1 || _strides[i] == stride;
            stride *= _shape[i];
        }
        view = contiguous ? new TensorView(Type, Rows, Columns, (nint)(_file.Address + _offset), owner) : default;
        return contiguous;
    }

    /// <summary>Decodes a row.</summary>
    /// <param name="row">Its number.</param>
    /// <param name="values">Exactly <see cref="Columns"/> floats.</param>
    public void DecodeRow(int row, Span<float> values)
    {
        using RowBytes bytes = Row(row);
        Type.DecodeRow(bytes.Span, values);
    }

    /// <summary>Whether both hold the same bits as the same type in the same sizes.</summary>
    public bool SameBits(CheckpointMatrix other)
    {
        if (Type != other.Type || Rows != other.Rows || Columns != other.Columns) return false;
        for (int row = 0; row < Rows; row++)
        {
            using RowBytes mine = Row(row), theirs = other.Row(row);
            if (!mine.Span.SequenceEqual(theirs.Span)) return false;
            ReleaseAfter(row);
            other.ReleaseAfter(row);
        }
        return true;
    }

    /// <summary>Tells the system now and then that the rows up to this one are not needed in memory any more; they can be read again.</summary>
    /// <remarks>Keeps the memory of a conversion far below the size of the largest tensor.</remarks>
    public void ReleaseAfter(int row)
    {
        const long Piece = 1 << 26;
        long rowBytes = Math.Max(1, (long)Columns * Type.BlockBytes);
        if (row + 1 == Rows || (row + 1) % Math.Max(1, Piece / rowBytes) == 0) _file.Release(_offset, ExtentBytes());
    }

    /// <summary>Bytes from the first element to the end of the one that lies last.</summary>
    private long ExtentBytes()
    {
        long last = 0;
        for (int i = 0; i < _shape.Length; i++) last += (_shape[i] - 1) * _strides[i];
        return (last + 1) * Type.BlockBytes;
    }

    private RowBytes Row(int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
        int size = Type.BlockBytes, length = checked(Columns * size);
        long start = _offset + FirstElement(row) * size;
        long stride = _shape.Length == 0 || Columns == 1 ? 1 : _strides[^1];
        return stride == 1 ? new RowBytes(_file.Span(start, length), null) : Gather(start, stride * size, size, length);
    }

    private RowBytes Gather(long start, long stride, int size, int length)
    {
        byte[] gathered = ArrayPool<byte>.Shared.Rent(length);
        for (int i = 0; i < Columns; i++) _file.Span(start + i * stride, size).CopyTo(gathered.AsSpan(i * size));
        return new RowBytes(gathered.AsSpan(0, length), gathered);
    }

    private long FirstElement(int row)
    {
        long element = 0, left = row;
        for (int i = _shape.Length - 2; i >= 0; i--)
        {
            element += left % _shape[i] * _strides[i];
            left /= _shape[i];
        }
        return element;
    }

    /// <summary>A row's bytes, in the file or in a rented array.</summary>
    private readonly ref struct RowBytes(ReadOnlySpan<byte> span, byte[]? rented)
    {
        public ReadOnlySpan<byte> Span { get; } = span;

        public void Dispose()
        {
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
