namespace MambaRT.Formats;

/// <summary>The bytes of one file of weights, mapped or in memory of their own.</summary>
internal sealed class WeightBytes : IDisposable
{
    private readonly MappedFile? _mapped;
    private readonly NativeBuffer? _memory;

    /// <summary>Bytes in memory, owned from now on; <paramref name="path"/> is for messages.</summary>
    internal WeightBytes(string path, NativeBuffer memory)
    {
        Path = path;
        _memory = memory;
        Length = memory.Bytes;
        Address = memory.Address;
    }

    /// <summary>Bytes of the caller's, who keeps them as they are until this is disposed.</summary>
    internal WeightBytes(string path, nint address, long length) => (Path, Address, Length) = (path, address, length);

    private WeightBytes(MappedFile mapped)
    {
        Path = mapped.Path;
        _mapped = mapped;
        Length = mapped.Length;
        Address = mapped.Address;
    }

    /// <summary>The file's path, or a description.</summary>
    internal string Path { get; }

    /// <summary>How many bytes there are.</summary>
    internal long Length { get; }

    /// <summary>Where they begin; valid until disposed.</summary>
    internal nint Address { get; }

    /// <summary>The bytes from the first on, as many as a span can hold: headers lie in it.</summary>
    internal ReadOnlySpan<byte> Start => Span(0, (int)Math.Min(Length, int.MaxValue));

    /// <summary>Maps or copies a file, or a window of it.</summary>
    /// <exception cref="FormatException">It is empty, shorter than the window, or a Git LFS pointer.</exception>
    internal static WeightBytes Open(string path, bool copyToMemory, long offset = 0, long? length = null, HostMemory? memory = null)
    {
        WeightBytes bytes = copyToMemory
            ? new WeightBytes(path, MappedFile.Copy(path, offset, length, memory))
            : new WeightBytes(new MappedFile(path, offset, length));
        if (!LfsPointer.Is(bytes.Start)) return bytes;
        bytes.Dispose();
        throw LfsPointer.Refusal(path);
    }

    /// <summary>Bytes, valid until disposed; out of range throws.</summary>
    internal ReadOnlySpan<byte> Span(long offset, int count) =>
        _mapped is { } mapped ? mapped.Span(offset, count) : _memory is { } memory ? memory.Span<byte>(offset, count) : Lent(offset, count);

    /// <summary>Says that bytes of a mapped file are not needed in memory for now.</summary>
    internal void Release(long offset, long length) => _mapped?.Release(offset, length);

    /// <summary>Throws <see cref="IOException"/> when a mapped file changed since it was opened.</summary>
    internal void EnsureUnchanged() => _mapped?.EnsureUnchanged();

    private unsafe ReadOnlySpan<byte> Lent(long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - count);
        return new ReadOnlySpan<byte>((byte*)Address + offset, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapped?.Dispose();
        _memory?.Dispose();
    }
}
