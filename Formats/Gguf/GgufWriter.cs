namespace MambaRT.Formats;

/// <summary>Writes a GGUF file, version 3, in one pass: metadata, tensor table, then each tensor as its callback produces it.</summary>
/// <remarks>
/// Values are aligned to the metadata's "general.alignment", or to 32 bytes. Not for several threads at once. The metadata is
/// read when writing, so it may still be set after the tensors were added.
/// </remarks>
public sealed class GgufWriter(GgufMetadata metadata)
{
    private readonly List<(string Name, QuantType Type, long[] Dimensions, long Bytes, Action<Stream> Write)> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    /// <summary>Announces a tensor.</summary>
    /// <param name="name">Its name, 1 to 1024 bytes of UTF-8, unique; llama.cpp accepts up to 63.</param>
    /// <param name="type">How its values are stored.</param>
    /// <param name="dimensions">1 to 4 sizes, fastest first; the first is whole blocks of <paramref name="type"/>.</param>
    /// <param name="write">Writes exactly the tensor's bytes; called once per <see cref="Write"/> or <see cref="WriteTo"/>, in order of addition.</param>
    /// <exception cref="ArgumentException">The name or a dimension cannot be stored.</exception>
    public void AddTensor(string name, QuantType type, ReadOnlySpan<long> dimensions, Action<Stream> write)
    {
        if (dimensions.Length is 0 or > GgufHeader.MaxDimensions)
            throw new ArgumentException($"Tensor '{name}' has {dimensions.Length} dimensions; 1 to {GgufHeader.MaxDimensions} are needed.", nameof(dimensions));
        long bytes = GgufHeader.TensorBytes(type, dimensions, out string fault)
            ?? throw new ArgumentException($"Tensor '{name}' {fault}.", nameof(dimensions));
        if (GgufEncoder.Utf8.GetByteCount(name) is 0 or > GgufHeader.MaxNameBytes)
            throw new ArgumentException($"A tensor's name must have 1 to {GgufHeader.MaxNameBytes} bytes, not '{name}'.", nameof(name));
        if (!_names.Add(name)) throw new ArgumentException($"There already is a tensor '{name}'.", nameof(name));
        _tensors.Add((name, type, dimensions.ToArray(), bytes, write));
    }

    /// <summary>Writes the file beside its place and renames it over <paramref name="path"/> once it is complete and on disk.</summary>
    /// <remarks>Whoever has the old file mapped keeps it on Linux and macOS; on Windows the rename then fails. A failure leaves the old file as it was.</remarks>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote fewer or more bytes than announced.</exception>
    public void Write(string path) => WholeFile.Write(path, WriteTo);

    /// <summary>Writes the file to a stream, which need not seek and stays open.</summary>
    /// <exception cref="InvalidOperationException">A tensor wrote fewer or more bytes than announced.</exception>
    public void WriteTo(Stream stream)
    {
        int alignment = GgufHeader.Alignment(metadata);
        byte[] header = Header(alignment);
        stream.Write(header);
        Pad(stream, header.Length, alignment);
        foreach (var (name, _, _, bytes, write) in _tensors)
        {
            var window = new WindowStream(stream, name, bytes);
            write(window);
            window.EnsureFull();
            Pad(stream, bytes, alignment);
        }
        stream.Flush();
    }

    private byte[] Header(int alignment)
    {
        using var buffer = new MemoryStream();
        var encoder = new GgufEncoder(buffer);
        encoder.Write(GgufHeader.Magic);
        encoder.Write(3u);
        encoder.Write((ulong)_tensors.Count);
        encoder.Write((ulong)metadata.Entries.Count);
        foreach ((string key, GgufValue value) in metadata.Entries) encoder.WriteEntry(key, value);
        long offset = 0;
        foreach (var (name, type, dimensions, bytes, _) in _tensors)
        {
            encoder.Write(name);
            encoder.Write((uint)dimensions.Length);
            encoder.Write<long>(dimensions);
            encoder.Write((uint)type.GgufId);
            encoder.Write((ulong)offset);
            offset = GgufHeader.AlignUp(offset + bytes, alignment);
        }
        return buffer.ToArray();
    }

    private static void Pad(Stream stream, long written, int alignment)
    {
        Span<byte> zeros = stackalloc byte[256];
        zeros.Clear();
        for (long left = GgufHeader.AlignUp(written, alignment) - written; left > 0; left -= zeros.Length)
            stream.Write(zeros[..(int)Math.Min(left, zeros.Length)]);
    }
}
