namespace MambaRT.Formats;

/// <summary>A weight matrix as it lies in memory: <c>[Rows, Columns]</c>, row-major, each row whole blocks; or some columns of one.</summary>
/// <remarks>
/// Rows are handed out one at a time: a whole matrix may exceed what a span can address. A view is valid as long as its
/// <see cref="Owner"/> is not disposed; whoever keeps <see cref="Address"/> keeps the view beside it.
/// </remarks>
public readonly unsafe struct TensorView
{
    private readonly byte* _data;

    /// <summary>Describes <paramref name="rows"/> × <paramref name="columns"/> values at <paramref name="address"/>.</summary>
    /// <exception cref="ArgumentException">A row is not a whole number of blocks.</exception>
    public TensorView(QuantType type, int rows, int columns, nint address, IDisposable owner)
    {
        Type = type;
        Rows = rows;
        Columns = columns;
        RowBytes = Stride = type.RowBytes(columns);
        _data = (byte*)address;
        Owner = owner;
    }

    private TensorView(in TensorView of, int rows, int columns, byte* data)
        : this(of.Type, rows, columns, (nint)data, of.Owner) => Stride = of.Stride;

    /// <summary>How the values are stored.</summary>
    public QuantType Type { get; }

    /// <summary>Rows: outputs of a projection, entries of a table; 1 for a vector.</summary>
    public int Rows { get; }

    /// <summary>Values in a row.</summary>
    public int Columns { get; }

    /// <summary>Bytes in a row.</summary>
    public long RowBytes { get; }

    /// <summary>Bytes from one row to the next: more than <see cref="RowBytes"/> where these are some columns of a wider matrix.</summary>
    public long Stride { get; }

    /// <summary>Whether the rows lie end to end.</summary>
    public bool IsContiguous => Stride == RowBytes || Rows == 1;

    /// <summary>Bytes of all rows.</summary>
    public long Bytes => RowBytes * Rows;

    /// <summary>Where row 0 begins, for backends that read the weights in place.</summary>
    public nint Address => (nint)_data;

    /// <summary>Who frees the memory.</summary>
    public IDisposable Owner { get; }

    /// <summary>The bytes of row <paramref name="index"/>.</summary>
    public ReadOnlySpan<byte> Row(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Rows, nameof(index));
        return new ReadOnlySpan<byte>(_data + index * Stride, checked((int)RowBytes));
    }

    /// <summary>Some of its columns, in place.</summary>
    /// <exception cref="ArgumentException">They are no whole blocks.</exception>
    public TensorView ColumnsOf(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, Columns, nameof(count));
        return new TensorView(this, Rows, count, _data + Type.RowBytes(first));
    }

    /// <summary>One row as a matrix of its own.</summary>
    public TensorView RowAlone(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Rows, nameof(index));
        return new TensorView(this, 1, Columns, _data + index * Stride);
    }

    /// <summary>Some of the bytes of a matrix whose rows lie end to end.</summary>
    /// <exception cref="InvalidOperationException">They do not.</exception>
    public ReadOnlySpan<byte> Part(long offset, int count)
    {
        if (!IsContiguous) throw new InvalidOperationException("These are some columns of a wider matrix, whose rows do not lie end to end; read it by rows.");
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Bytes - offset, nameof(count));
        return new ReadOnlySpan<byte>(_data + offset, count);
    }

    /// <summary>Decodes row <paramref name="index"/> into <paramref name="values"/> (exactly <see cref="Columns"/> floats).</summary>
    public void DecodeRow(int index, Span<float> values) => Type.DecodeRow(Row(index), values);

    /// <summary>Whether every value of rows <paramref name="begin"/> to begin + <paramref name="count"/> is finite; reads the bytes and decodes nothing.</summary>
    public bool AreFinite(int begin, int count)
    {
        for (int row = begin; row < begin + count; row++)
            if (!Type.AllFinite(Row(row))) return false;
        return true;
    }

    /// <summary>How many rows hold a value that is not finite, and the first of them (−1 for none): reads the whole matrix.</summary>
    public (int First, int Count) NonFiniteRows()
    {
        (int first, int count) = (-1, 0);
        for (int row = 0; row < Rows; row++)
        {
            if (Type.AllFinite(Row(row))) continue;
            if (count++ == 0) first = row;
        }
        return (first, count);
    }
}

/// <summary>Named weight matrices: a GGUF file, a safetensors folder, or weights made in memory.</summary>
public interface IWeightSource
{
    /// <summary>Finds a tensor; vectors are one row.</summary>
    bool TryGet(string name, out TensorView view);

    /// <summary>Throws <see cref="IOException"/> when the memory behind the views can no longer be read safely (a mapped file changed).</summary>
    /// <remarks>Called before every run of a model; must not allocate.</remarks>
    void EnsureReadable();
}
