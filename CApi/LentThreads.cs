using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Runs work of the cpu backend through the program's own job system.</summary>
internal sealed unsafe class LentThreads : IDisposable
{
    private readonly delegate* unmanaged[Cdecl]<void*, int, delegate* unmanaged[Cdecl]<void*, int, void>, void*, void> _run;
    private readonly void* _user;
    private readonly GCHandle _self;
    private volatile Action<int>? _body;

    public LentThreads(in ModelOptionsLayout options)
    {
        _run = options.ParallelFor;
        _user = options.ParallelUser;
        _self = GCHandle.Alloc(this);
    }

    /// <summary>Has the program call a body with each of so many numbers.</summary>
    public void Run(int count, Action<int> body)
    {
        _body = body;   // the same each time: a backend has one
        LentCalls.Enter();
        _run(_user, count, &Unit, (void*)GCHandle.ToIntPtr(_self));
        LentCalls.Leave();
    }

    /// <inheritdoc/>
    public void Dispose() => _self.Free();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Unit(void* work, int index) => ((LentThreads)GCHandle.FromIntPtr((nint)work).Target!)._body!(index);   // the body throws nothing
}
