using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>A zeroed, 64-byte aligned block of native memory with one owner.</summary>
/// <remarks>Large blocks are zero pages that the system provides when they are first touched: what is never used costs neither time nor memory.</remarks>
internal sealed unsafe partial class NativeBuffer : IDisposable
{
    private const int Alignment = 64;

    /// <summary>Blocks from this size on ask for huge pages: less would hardly hold a whole one.</summary>
    private const long HugePagesFrom = 4 << 20;

    private readonly HostMemory? _memory;
    private void* _block;
    private byte* _data;

    /// <summary>Takes <paramref name="bytes"/> bytes, all zero.</summary>
    /// <param name="bytes">How many.</param>
    /// <param name="memory">What they are counted by and taken from; null for the system's, uncounted.</param>
    /// <param name="inParts">Whether it is touched for the first time in parts that shall be quick: a huge page is made whole, which takes 0.2 ms and on virtual machines up to 8.</param>
    /// <exception cref="InsufficientMemoryException">They would be more than its limit.</exception>
    /// <exception cref="OutOfMemoryException">There are none.</exception>
    public NativeBuffer(long bytes, HostMemory? memory = null, bool inParts = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        memory?.Count(bytes);
        try
        {
            _block = memory?.Source is { } source ? TakeOf(source) : NativeMemory.AllocZeroed((nuint)BlockBytes);
        }
        catch
        {
            memory?.Release(bytes);
            throw;
        }
        _memory = memory;
        _data = (byte*)(((nuint)_block + Alignment - 1) & ~(nuint)(Alignment - 1));
        if (bytes >= HugePagesFrom && memory?.Source is null && OperatingSystem.IsLinux()) AskForHugePages(_data, (nuint)bytes, !inParts);
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

    /// <summary>Has the system provide all of it now, and not when it is first used; what is in it stays.</summary>
    public void Touch()
    {
        for (long at = 0; at < Bytes; at += Environment.SystemPageSize) TouchByte(at);
        if (Bytes > 0) TouchByte(Bytes - 1);   // it need not begin with a page
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void TouchByte(long at) => Volatile.Write(ref _data[at], Volatile.Read(ref _data[at]));

    /// <summary>What is taken: enough to begin at a multiple of the alignment wherever it lies.</summary>
    private long BlockBytes => Math.Max(Bytes, 1) + Alignment - 1;

    private void* TakeOf(IMemorySource source)
    {
        void* block = (void*)source.Allocate(BlockBytes);
        if (block == null) throw new OutOfMemoryException($"The program's allocator has no {BlockBytes:N0} bytes more for the model.");
        NativeMemory.Clear(block, (nuint)BlockBytes);
        return block;
    }

    private void Free()
    {
        void* block = _block;
        _block = _data = null;
        if (block == null) return;
        if (_memory?.Source is { } source) source.Free((nint)block, BlockBytes);
        else NativeMemory.Free(block);
        _memory?.Release(Bytes);
    }

    /// <summary>A wish, for them or against: where the system does not grant it, the others serve as well.</summary>
    private static void AskForHugePages(byte* data, nuint bytes, bool wanted)
    {
        const int HugePage = 14, NoHugePage = 15;   // MADV_...
        nuint page = (nuint)Environment.SystemPageSize, begin = ((nuint)data + page - 1) / page * page;
        _ = Advise((void*)begin, (nuint)data + bytes - begin, wanted ? HugePage : NoHugePage);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
