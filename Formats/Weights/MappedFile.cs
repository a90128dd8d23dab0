using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MambaRT.Formats;

/// <summary>A file, or a window of it, mapped read-only into memory; larger than 2 GiB is fine.</summary>
/// <remarks>
/// What is promised when somebody changes the file while it is mapped:
/// Windows refuses to truncate, overwrite or delete it. On Linux and macOS deleting it, or renaming another file over it, is
/// harmless, for the mapping keeps the old file alive; truncating it or writing into it is found by <see cref="EnsureUnchanged"/>
/// before every run of a model and becomes an <see cref="IOException"/>. Between that check and the reads that follow, a
/// truncation raises SIGBUS, which no managed code can catch: the <c>mambart</c> executable turns it into one sentence and
/// exit code 1; a program that embeds the library and must exclude it opens with <see cref="GgufOpenOptions.CopyToMemory"/>.
/// Safe to read from several threads; dispose when nobody reads any more.
/// </remarks>
public sealed unsafe partial class MappedFile : IDisposable
{
    private const int DontNeed = 4;   // MADV_DONTNEED

    private readonly SafeFileHandle _handle;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly long _fileLength;
    private readonly DateTime _written;
    private byte* _data;

    /// <summary>Maps <paramref name="length"/> bytes of a file from <paramref name="offset"/> on; null is up to the end.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="FormatException">It is empty, or shorter than the window.</exception>
    public MappedFile(string path, long offset = 0, long? length = null)
    {
        Path = path;
        _handle = OpenForReading(path);
        try
        {
            _fileLength = RandomAccess.GetLength(_handle);
            _written = File.GetLastWriteTimeUtc(_handle);
            Length = WindowLength(path, _fileLength, offset, length);
            _map = MemoryMappedFile.CreateFromFile(_handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            _view = _map.CreateViewAccessor(offset, Length, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _data);
            _data += _view.PointerOffset;
        }
        catch
        {
            _view?.Dispose();
            _map?.Dispose();
            _handle.Dispose();
            throw;
        }
    }

    /// <summary>The path as given.</summary>
    public string Path { get; }

    /// <summary>Bytes in the window.</summary>
    public long Length { get; }

    /// <summary>Where the window begins in memory.</summary>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data == null, this);
            return (nint)_data;
        }
    }

    /// <summary>Bytes of the window, valid until the file is disposed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the window.</exception>
    public ReadOnlySpan<byte> Span(long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - count);
        return new ReadOnlySpan<byte>((byte*)Address + offset, count);
    }

    /// <summary>Gives the pages of a range back to the system, which reads them again when they are used: a file read once does not stay in this process's memory.</summary>
    /// <remarks>Works on Linux; elsewhere the system decides alone.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the window.</exception>
    internal void Release(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length);
        if (!OperatingSystem.IsLinux()) return;
        nint first = (nint)((Address + offset) & -Environment.SystemPageSize);
        Advise(first, (nuint)(Address + offset + length - first), DontNeed);   // advice only: a failure changes nothing
    }

    /// <summary>Checks that nobody resized or rewrote the file since it was opened; allocates nothing.</summary>
    /// <remarks>It compares the length and the time of the last write, so a changed time alone also counts as a change.</remarks>
    /// <exception cref="IOException">The file changed.</exception>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public void EnsureUnchanged()
    {
        ObjectDisposedException.ThrowIf(_data == null, this);
        if (RandomAccess.GetLength(_handle) != _fileLength || File.GetLastWriteTimeUtc(_handle) != _written)
            throw new IOException($"{Path}: the file was rewritten or resized while in use; restart with a stable file, and replace a model by renaming a new file over it instead of writing into it.");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_data == null) return;
        _data = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
        _handle.Dispose();
    }

    /// <summary>Reads a file, or a window of it, into memory of its own instead of mapping it; arguments and errors as for the constructor.</summary>
    internal static NativeBuffer Copy(string path, long offset = 0, long? length = null, HostMemory? memory = null)
    {
        const int Piece = 1 << 28;
        using SafeFileHandle handle = OpenForReading(path);
        long total = WindowLength(path, RandomAccess.GetLength(handle), offset, length);
        var copy = new NativeBuffer(total, memory);
        try
        {
            for (long done = 0; done < total;)
            {
                int read = RandomAccess.Read(handle, copy.Span<byte>(done, (int)Math.Min(Piece, total - done)), offset + done);
                if (read == 0) throw new IOException($"{path}: the file shrank to {offset + done} bytes while it was read; start again with a stable file.");
                done += read;
            }
            return copy;
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    private static SafeFileHandle OpenForReading(string path)
    {
        if (PathKinds.Of(path) is var kind and (PathKind.Pipe or PathKind.Device or PathKind.Socket))
            throw new FormatException($"{path}: this is a {kind.ToString().ToLowerInvariant()}; weights are read where a file lies, so save them to a file first, such as 'cat > model.gguf', and give its path.");
        if (new FileInfo(path) is { Exists: true, Length: 0 }) throw Empty(path);
        try
        {
            return File.OpenHandle(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException($"{path}: there is no such file; check the path.", path, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(Directory.Exists(path)
                ? $"{path}: this is a folder; give the path of a file in it."
                : $"{path}: reading this file is not permitted; change its permissions.", e);
        }
    }

    private static long WindowLength(string path, long fileLength, long offset, long? length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (length is { } asked) ArgumentOutOfRangeException.ThrowIfNegativeOrZero(asked, nameof(length));
        if (fileLength == 0) throw Empty(path);
        if (offset >= fileLength || length > fileLength - offset)
            throw new FormatException($"{path}: the file has {fileLength} bytes; {(length is null ? "more than" : "at least")} {(Int128)offset + (length ?? 0)} are needed. Download or build it again.");
        return length ?? fileLength - offset;
    }

    private static FormatException Empty(string path) =>
        new($"{path}: the file is empty; download or convert it again.");
}
