namespace MambaRT.Formats;

/// <summary>The tensors of one safetensors file, mapped or copied.</summary>
/// <remarks>
/// The header is checked at opening as the format asks: offsets in range, no overlaps, no holes, sizes as the shapes say, no
/// name twice. Safe to read from several threads; dispose when nobody uses its views any more. What can be promised when
/// somebody changes a mapped file: see <see cref="MappedFile"/>.
/// </remarks>
public sealed class SafetensorsFile : IWeightSource, ICheckpointFile
{
    private readonly WeightBytes _bytes;
    private readonly List<CheckpointTensor> _tensors;
    private readonly Dictionary<string, CheckpointTensor> _byName;
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private bool _disposed;

    private SafetensorsFile(WeightBytes bytes)
    {
        _bytes = bytes;
        try
        {
            _tensors = SafetensorsHeader.Parse(bytes, _metadata);
            _byName = _tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>The path as given.</summary>
    public string Path => _bytes.Path;

    /// <summary>All tensors, of any element type, in the order of the header.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors => _tensors;

    /// <summary>The file's "__metadata__"; empty when it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Opens a file.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="copyToMemory">Reads it into memory instead of mapping it.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="FormatException">It is not safetensors, or damaged; the message names the tensor.</exception>
    /// <exception cref="NotSupportedException">A tensor has an unknown element type.</exception>
    public static SafetensorsFile Open(string path, bool copyToMemory = false) => new(WeightBytes.Open(path, copyToMemory));

    /// <summary>Reads a file that is in memory; <paramref name="bytes"/> is disposed with it, or when it is refused.</summary>
    internal static SafetensorsFile Parse(string subject, NativeBuffer bytes) => new(new WeightBytes(subject, bytes));

    /// <summary>Finds a tensor of any element type.</summary>
    /// <returns>Null when there is none.</returns>
    public CheckpointTensor? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Finds a tensor of F32, F16 or BF16: the last dimension as columns, the product of the others as rows.</summary>
    /// <exception cref="NotSupportedException">The tensor is there, but as another element type.</exception>
    /// <exception cref="FormatException">The tensor is there, but empty, or with more rows or columns than a matrix can have.</exception>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public bool TryGet(string name, out TensorView view)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        view = default;
        return _byName.TryGetValue(name, out CheckpointTensor? tensor) && tensor.Matrix().TryView(this, out view);   // always contiguous
    }

    /// <summary>The bytes of a tensor of any element type, little-endian, row-major; valid until the file is disposed.</summary>
    /// <exception cref="KeyNotFoundException">There is no such tensor.</exception>
    /// <exception cref="NotSupportedException">It has more bytes than a span can hold.</exception>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckpointTensor entry = Find(name) ?? throw new KeyNotFoundException($"{Path}: there is no tensor '{name}'.");
        return entry.Bytes <= int.MaxValue ? _bytes.Span(entry.Offset, (int)entry.Bytes)
            : throw new NotSupportedException($"{Path}: tensor '{Printable.Text(name)}' has {entry.Bytes} bytes, too many for one span; read it row by row.");
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public void EnsureReadable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _bytes.EnsureUnchanged();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _bytes.Dispose();
    }
}
