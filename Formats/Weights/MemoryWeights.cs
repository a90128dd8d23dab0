namespace MambaRT.Formats;

/// <summary>Named weight matrices in memory of their own: models made by a program, and tests.</summary>
/// <remarks>Safe to read from several threads once nothing is added any more; dispose when nobody uses its views any more.</remarks>
public sealed class MemoryWeights : IWeightSource, IDisposable
{
    private readonly Dictionary<string, TensorView> _views = new(StringComparer.Ordinal);
    private bool _disposed;

    /// <summary>Encodes a matrix.</summary>
    /// <param name="name">Its name, unique.</param>
    /// <param name="type">A type that can be written.</param>
    /// <param name="rows">Rows; 1 for a vector.</param>
    /// <param name="columns">Values in a row, whole blocks of <paramref name="type"/>.</param>
    /// <param name="values">The matrix, row-major: exactly rows × columns finite floats.</param>
    /// <exception cref="ArgumentException">The sizes disagree, or the name is taken.</exception>
    /// <exception cref="NotSupportedException">The type is only read.</exception>
    public void Add(string name, QuantType type, int rows, int columns, ReadOnlySpan<float> values)
    {
        if (values.Length != (long)rows * columns)
            throw new ArgumentException($"Tensor '{name}' got {values.Length} values; {rows} × {columns} are needed.", nameof(values));
        byte[] row = new byte[type.RowBytes(columns)];
        NativeBuffer memory = Reserve(name, type, rows, columns);
        try
        {
            for (int i = 0; i < rows; i++)
            {
                type.EncodeRow(values.Slice(i * columns, columns), [], row);
                row.CopyTo(memory.Span<byte>((long)i * row.Length, row.Length));
            }
        }
        catch
        {
            memory.Dispose();
            throw;
        }
        _views.Add(name, new TensorView(type, rows, columns, memory.Address, memory));
    }

    /// <summary>Stores a matrix of another source as another type, row by row.</summary>
    /// <param name="name">Its name, unique.</param>
    /// <param name="type">A type that can be written and whose blocks fit the rows.</param>
    /// <param name="matrix">The values.</param>
    /// <exception cref="ArgumentException">A row is no whole number of blocks, or the name is taken.</exception>
    /// <exception cref="FormatException">A value is not finite.</exception>
    /// <exception cref="NotSupportedException">The type is only read.</exception>
    public void AddEncoded(string name, QuantType type, TensorView matrix)
    {
        int rowBytes = checked((int)type.RowBytes(matrix.Columns));
        float[] values = new float[matrix.Columns];
        NativeBuffer memory = Reserve(name, type, matrix.Rows, matrix.Columns);
        try
        {
            for (int i = 0; i < matrix.Rows; i++)
            {
                matrix.DecodeRow(i, values);
                foreach (float value in values)
                    if (!float.IsFinite(value)) throw new FormatException($"Tensor '{name}' holds {value} in row {i}; only finite values can be stored as {type}. Convert the model again.");
                type.EncodeRow(values, [], memory.Span<byte>((long)i * rowBytes, rowBytes));
            }
        }
        catch
        {
            memory.Dispose();
            throw;
        }
        _views.Add(name, new TensorView(type, matrix.Rows, matrix.Columns, memory.Address, memory));
    }

    /// <summary>Stores a matrix that is encoded already.</summary>
    /// <param name="name">Its name, unique.</param>
    /// <param name="type">How it is encoded.</param>
    /// <param name="rows">Rows; 1 for a vector.</param>
    /// <param name="columns">Values in a row, whole blocks of <paramref name="type"/>.</param>
    /// <param name="bytes">Exactly the rows' bytes.</param>
    /// <exception cref="ArgumentException">The sizes disagree, or the name is taken.</exception>
    public void AddRaw(string name, QuantType type, int rows, int columns, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != type.RowBytes(columns) * rows)
            throw new ArgumentException($"Tensor '{name}' got {bytes.Length} bytes; {type.RowBytes(columns) * rows} are needed.", nameof(bytes));
        NativeBuffer memory = Reserve(name, type, rows, columns);
        bytes.CopyTo(memory.Span<byte>(0, bytes.Length));
        _views.Add(name, new TensorView(type, rows, columns, memory.Address, memory));
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The weights were disposed.</exception>
    public bool TryGet(string name, out TensorView view)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _views.TryGetValue(name, out view);
    }

    /// <inheritdoc/>
    public void EnsureReadable() => ObjectDisposedException.ThrowIf(_disposed, this);

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        foreach (TensorView view in _views.Values) view.Owner.Dispose();
        _views.Clear();
    }

    private NativeBuffer Reserve(string name, QuantType type, int rows, int columns)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        if (_views.ContainsKey(name)) throw new ArgumentException($"There already is a tensor '{name}'.", nameof(name));
        return new NativeBuffer(type.RowBytes(columns) * rows);
    }
}
