namespace MambaRT.Formats;

/// <summary>The bytes of one GGUF file, mapped or in memory of their own.</summary>
internal sealed class GgufPart : IDisposable
{
    private readonly string _path;
    private readonly MappedFile? _mapped;
    private readonly NativeBuffer? _memory;

    /// <summary>Bytes in memory, owned from now on.</summary>
    internal GgufPart(string path, NativeBuffer memory)
    {
        _path = path;
        _memory = memory;
        Bytes = memory.Bytes;
        Address = memory.Address;
    }

    private GgufPart(MappedFile mapped)
    {
        _path = mapped.Path;
        _mapped = mapped;
        Bytes = mapped.Length;
        Address = mapped.Address;
    }

    /// <summary>How many bytes there are.</summary>
    internal long Bytes { get; }

    /// <summary>Where they begin; valid until disposed.</summary>
    internal nint Address { get; }

    /// <summary>Maps or copies the window of a file that the options name.</summary>
    internal static GgufPart Open(string path, GgufOpenOptions options) => options.CopyToMemory
        ? new GgufPart(path, MappedFile.Copy(path, options.Offset, options.Length))
        : new GgufPart(new MappedFile(path, options.Offset, options.Length));

    /// <summary>Parses and checks the header; the part's number goes into its tensors.</summary>
    internal GgufHeader ReadHeader(int number)
    {
        int length = (int)Math.Min(Bytes, int.MaxValue);   // no header is longer than a span
        ReadOnlySpan<byte> start = _mapped is { } mapped ? mapped.Span(0, length) : _memory!.Span<byte>(0, length);
        return GgufParser.Parse(_path, start, Bytes, number);
    }

    /// <summary>Throws <see cref="IOException"/> when a mapped file changed since it was opened.</summary>
    internal void EnsureUnchanged() => _mapped?.EnsureUnchanged();

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapped?.Dispose();
        _memory?.Dispose();
    }
}
