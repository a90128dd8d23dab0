using System.Runtime.InteropServices;

namespace MambaRT.Tests;

/// <summary>Which side of its data a guard page lies on; on the other one there may be room up to the next page.</summary>
internal enum Guard
{
    Before,
    After,
}

/// <summary>Read-only memory between two pages that nobody may touch: a read past its data on the guarded side ends the process.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int None = 0, Read = 1, ReadWrite = 3, PrivateAnonymous = 0x22;

    private readonly nint _block;
    private readonly nuint _bytes;

    public GuardedMemory(ReadOnlySpan<byte> data, Guard side)
    {
        nuint page = (nuint)Environment.SystemPageSize, inner = ((nuint)data.Length + page - 1) / page * page;
        _bytes = inner + 2 * page;
        _block = Map(0, _bytes, None, PrivateAnonymous, -1, 0);
        if (_block == -1) throw new OutOfMemoryException();
        nint begin = _block + (nint)page;
        Protect(begin, inner, ReadWrite);
        Address = side == Guard.Before ? begin : begin + (nint)inner - data.Length;
        data.CopyTo(new Span<byte>((void*)Address, data.Length));
        Protect(begin, inner, Read);
    }

    public nint Address { get; }

    public void Dispose() => Unmap(_block, _bytes);

    private static void Protect(nint address, nuint bytes, int access)
    {
        if (SetAccess(address, bytes, access) != 0) throw new InvalidOperationException($"mprotect: {Marshal.GetLastSystemError()}");
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint bytes, int access, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int SetAccess(nint address, nuint bytes, int access);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint bytes);
}
