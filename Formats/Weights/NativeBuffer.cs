using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>A zeroed, 64-byte aligned block of native memory with one owner.</summary>
/// <remarks>Large blocks are zero pages that the system provides when they are first touched: what is never used costs neither time nor memory.</remarks>
internal sealed unsafe partial class NativeBuffer : IDisposable
{
    private const int Alignment = 64;

    /// <summary>Blocks from this size on ask for huge pages: less would hardly hold a whole one.</summary>
    private const long HugePagesFrom = 4 << 20;

    private void* _block;
    private byte* _data;

    /// <summary>Takes <paramref name="bytes"/> bytes, all zero.</summary>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        _block = NativeMemory.AllocZeroed((nuint)Math.Max(bytes, 1) + Alignment - 1);
        _data = (byte*)(((nuint)_block + Alignment - 1) & ~(nuint)(Alignment - 1));
        if (bytes >= HugePagesFrom && OperatingSystem.IsLinux()) AskForHugePages(_data, (nuint)bytes);
    }

    /// <summary>Frees the memory of a buffer nobody disposed.</summary>
    ~NativeBuffer() => Free();

    /// <summary>Size in bytes.</summary>
    public long Bytes { get; }

    /// <summary>Where the memory begins.</summary>
    public nint Address => (nint)_data;

    /// <summary>The memory from <paramref name="offset"/>, as values of <typeparamref name="T"/>.</summary>
    public Span<T> Span<T>(long offset, int count) where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_data == null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + (long)count * sizeof(T), Bytes, nameof(count));
        return new Span<T>(_data + offset, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.Free(_block);
        _block = _data = null;
    }

    /// <summary>A wish: where the system does not grant it, small pages serve as well.</summary>
    private static void AskForHugePages(byte* data, nuint bytes)
    {
        const int HugePage = 14;   // MADV_HUGEPAGE
        nuint page = (nuint)Environment.SystemPageSize, begin = ((nuint)data + page - 1) / page * page;
        _ = Advise((void*)begin, (nuint)data + bytes - begin, HugePage);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
