namespace MambaRT.Formats;

/// <summary>A model in GGUF, version 2 or 3, in one file or split into several: its metadata and its weights, mapped or copied.</summary>
/// <remarks>
/// Everything in the headers is checked at opening, so that a damaged or hostile file is refused with one sentence and never
/// read out of bounds. Safe to read from several threads; dispose when nobody uses its views any more. What can be promised
/// when somebody changes a mapped file: see <see cref="MappedFile"/>. Format: docs/gguf.md in ggml.
/// </remarks>
public sealed class GgufFile : IWeightSource, IDisposable
{
    private readonly List<WeightBytes> _parts = [];
    private readonly List<GgufTensorInfo> _tensors = [];
    private readonly Dictionary<string, GgufTensorInfo> _byName = new(StringComparer.Ordinal);
    private bool _disposed;

    private GgufFile(string path) => Path = path;

    /// <summary>The path as given.</summary>
    public string Path { get; }

    /// <summary>The key–value part; of the first file if the model is split, without the keys about the split.</summary>
    public GgufMetadata Metadata { get; private set; } = null!;   // set by both factories before they return

    /// <summary>All tensors in file order; none for a file that only has a vocabulary.</summary>
    public IReadOnlyList<GgufTensorInfo> Tensors => _tensors;

    /// <summary>Bytes of the model: of the window if one was opened, of all parts together if it is split.</summary>
    public long FileBytes => _parts.Sum(part => part.Length);

    /// <summary>Paths of the files the model lies in, one for a whole model.</summary>
    public IEnumerable<string> PartPaths => _parts.Select(part => part.Path);

    /// <summary>Opens a model; any part of a split model opens all of it.</summary>
    /// <exception cref="FileNotFoundException">The file, or a part of the model, is missing.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="FormatException">A file is not GGUF, or damaged, or a key cannot be overridden; the message names the key or tensor.</exception>
    /// <exception cref="NotSupportedException">A tensor is stored as a type that MambaRT does not read.</exception>
    public static GgufFile Open(string path, GgufOpenOptions? options = null)
    {
        options ??= new GgufOpenOptions();
        var file = new GgufFile(path);
        try
        {
            file.AddAll(OpenPart(path, options), options);
            options.Overrides.Apply(file.Metadata);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens a model that lies in memory of the caller's, without a copy.</summary>
    /// <param name="address">Where its first byte is.</param>
    /// <param name="length">Its bytes, which must stay as they are until the file is disposed.</param>
    /// <exception cref="FormatException">It is not GGUF, or damaged; the message names the key or tensor.</exception>
    /// <exception cref="NotSupportedException">A tensor is stored as a type that MambaRT does not read, or the model is in several files.</exception>
    public static GgufFile OpenMemory(nint address, long length)
    {
        if (address == 0 || length <= 0) throw new ArgumentException($"A model in memory needs an address and a length; found {address:x} and {length}.", nameof(address));
        return Parse(new WeightBytes("the model in memory", address, length));
    }

    /// <summary>Reads a model that is in memory; <paramref name="bytes"/> is disposed with the file, or when it is refused.</summary>
    internal static GgufFile Parse(string subject, NativeBuffer bytes) => Parse(new WeightBytes(subject, bytes));

    private static GgufFile Parse(WeightBytes bytes)
    {
        var file = new GgufFile(bytes.Path);
        try
        {
            file.AddAll(bytes, null);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor: the first dimension as columns, the product of the others as rows.</summary>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public bool TryGet(string name, out TensorView view)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        view = default;
        if (!_byName.TryGetValue(name, out GgufTensorInfo? tensor)) return false;
        view = new TensorView(tensor.Type, tensor.Rows, tensor.Columns, (nint)(_parts[tensor.Part].Address + tensor.Offset), this);
        return true;
    }

    /// <summary>Says that a tensor is not needed in memory for now, so that reading a model once does not fill it; it can be read again.</summary>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public void Release(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_byName.TryGetValue(name, out GgufTensorInfo? tensor)) _parts[tensor.Part].Release(tensor.Offset, tensor.Bytes);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public void EnsureReadable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        foreach (WeightBytes part in _parts) part.EnsureUnchanged();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        foreach (WeightBytes part in _parts) part.Dispose();
    }

    /// <summary>Reads the header of a part and, if the model has more, those of the others.</summary>
    /// <param name="opened">The part that was asked for.</param>
    /// <param name="options">How to open the others; null when they cannot be opened.</param>
    private void AddAll(WeightBytes opened, GgufOpenOptions? options)
    {
        _parts.Add(opened);   // from here on it is disposed with this file
        GgufHeader header = ReadHeader(0);
        int parts = GgufSplit.Parts(header.Metadata);
        if (parts == 1) AddHeader(header);
        else if (options is null || options.Offset != 0 || options.Length is not null)
            throw new NotSupportedException($"{Path}: the model inside is one of {parts} parts, and the others cannot be found from there; merge the parts into one file first.");
        else AddParts(GgufSplit.Paths(Path, header.Metadata), options);
    }

    private void AddParts(string[] paths, GgufOpenOptions options)
    {
        _parts[0].Dispose();   // opened again in its place, so that the tensors come in the order of the parts
        _parts.Clear();
        for (int i = 0; i < paths.Length; i++)
        {
            if (!File.Exists(paths[i]))
                throw new FileNotFoundException($"{Path}: part {i + 1} of {paths.Length} of this model is missing: there is no file '{paths[i]}'; put all parts into one folder.", paths[i]);
            _parts.Add(OpenPart(paths[i], options));
            GgufHeader header = ReadHeader(i);
            GgufSplit.Check(header.Metadata, i, paths.Length);
            AddHeader(header);
        }
        if (Metadata.TryGetInt32(GgufSplit.TensorsKey) is { } tensors && tensors != _tensors.Count)
            throw new FormatException($"{paths[0]}: key '{GgufSplit.TensorsKey}' is {tensors}, but the {paths.Length} parts hold {_tensors.Count} tensors; download all parts again.");
        foreach (string key in GgufSplit.Keys) Metadata.Remove(key);
    }

    private static WeightBytes OpenPart(string path, GgufOpenOptions options) =>
        WeightBytes.Open(path, options.CopyToMemory, options.Offset, options.Length, options.Memory);

    private GgufHeader ReadHeader(int part) => GgufParser.Parse(_parts[part].Path, _parts[part].Start, _parts[part].Length, part);

    private void AddHeader(GgufHeader header)
    {
        Metadata ??= header.Metadata;
        foreach (GgufTensorInfo tensor in header.Tensors)
        {
            _tensors.Add(tensor);
            if (!_byName.TryAdd(tensor.Name, tensor))
                throw new FormatException($"{header.Metadata.Subject}: tensor '{Printable.Text(tensor.Name)}' appears twice; download or convert the model again.");
        }
    }
}
