using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>A mark on a stream.</summary>
internal sealed unsafe class CudaEvent : IDisposable
{
    private nint _handle;

    public CudaEvent()
    {
        nint handle;
        CudaException.Check(cuEventCreate(&handle, 0), "cuEventCreate");
        _handle = handle;
    }

    public void Record(CudaStream stream) => CudaException.Check(cuEventRecord(_handle, stream.Handle), "cuEventRecord");

    /// <summary>Waits until the stream has passed the mark; at once where none was made.</summary>
    public void Synchronize() => CudaException.Check(cuEventSynchronize(_handle), "cuEventSynchronize");

    /// <summary>Milliseconds from <paramref name="start"/> to this mark, both passed.</summary>
    public float Since(CudaEvent start)
    {
        float milliseconds;
        CudaException.Check(cuEventElapsedTime(&milliseconds, start._handle, _handle), "cuEventElapsedTime");
        return milliseconds;
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        if (!CudaContext.IsGone) _ = cuEventDestroy_v2(_handle);
        _handle = 0;
    }
}
