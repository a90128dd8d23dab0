using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>A zeroed, 64-byte aligned block of native memory with one owner.</summary>
public sealed unsafe class NativeBuffer : IDisposable
{
    private void* _data;

    /// <summary>Takes <paramref name="bytes"/> bytes, all zero.</summary>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        nuint size = (nuint)Math.Max(bytes, 64);
        _data = NativeMemory.AlignedAlloc(size, 64);
        NativeMemory.Clear(_data, size);
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
        return new Span<T>((byte*)_data + offset, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
    }
}
