using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cpu;

/// <summary>Machine code in memory that may be run but no longer written; the one owner of its pages.</summary>
/// <remarks>Linux only. Pages are written before they become executable, and are never both.</remarks>
internal sealed unsafe partial class ExecutableMemory : IDisposable
{
    private const int Read = 1, Write = 2, Execute = 4, PrivateAnonymous = 0x22;

    private readonly nuint _bytes;
    private void* _address;

    private ExecutableMemory(void* address, nuint bytes)
    {
        _address = address;
        _bytes = bytes;
    }

    ~ExecutableMemory() => Free();

    /// <summary>Where the code begins: a function of one pointer that returns nothing, in the system's calling convention.</summary>
    public delegate* unmanaged<void*, void> Entry => (delegate* unmanaged<void*, void>)_address;

    /// <summary>Bytes of memory taken.</summary>
    public long Bytes => (long)_bytes;

    /// <summary>Puts code into memory of its own; null where the system does not allow that.</summary>
    public static ExecutableMemory? TryCreate(ReadOnlySpan<byte> code)
    {
        nuint page = (nuint)Environment.SystemPageSize, bytes = ((nuint)code.Length + page - 1) / page * page;
        void* address = Map(null, bytes, Read | Write, PrivateAnonymous, -1, 0);
        if (address == (void*)-1) return null;
        code.CopyTo(new Span<byte>(address, code.Length));
        var memory = new ExecutableMemory(address, bytes);
        if (Protect(address, bytes, Read | Execute) == 0) return memory;
        memory.Dispose();
        return null;
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_address != null) Unmap(_address, _bytes);
        _address = null;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* hint, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint bytes);
}
