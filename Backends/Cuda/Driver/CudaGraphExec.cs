using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>A recorded list of launches and copies, started by one call.</summary>
internal sealed class CudaGraphExec(nint handle) : IDisposable
{
    private bool _disposed;

    public nint Handle { get; } = handle;

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (!CudaContext.IsGone) _ = cuGraphExecDestroy(Handle);
    }
}
