namespace MambaRT.CApi;

/// <summary>Takes native memory of the program's allocator.</summary>
internal sealed unsafe class LentMemory(in ModelOptionsLayout options) : IMemorySource
{
    private readonly delegate* unmanaged[Cdecl]<void*, nuint, void*> _allocate = options.Allocate;
    private readonly delegate* unmanaged[Cdecl]<void*, void*, nuint, void> _release = options.Release;
    private readonly void* _user = options.AllocatorUser;

    /// <inheritdoc/>
    public nint Allocate(long bytes)
    {
        LentCalls.Enter();
        nint address = (nint)_allocate(_user, (nuint)bytes);
        LentCalls.Leave();
        return address;
    }

    /// <inheritdoc/>
    public void Free(nint address, long bytes)
    {
        LentCalls.Enter();
        _release(_user, (void*)address, (nuint)bytes);
        LentCalls.Leave();
    }
}
