using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>A queue of the device: what is put on it runs in order.</summary>
internal sealed unsafe class CudaStream : IDisposable
{
    private const uint NonBlocking = 1;

    private nint _handle;

    public CudaStream()
    {
        nint stream;
        CudaException.Check(cuStreamCreate(&stream, NonBlocking), "cuStreamCreate");
        _handle = stream;
    }

    public nint Handle => _handle;

    public void CopyToDevice(ulong to, void* from, long bytes, string? op = null) =>
        CudaException.Check(cuMemcpyHtoDAsync_v2(to, from, (nuint)bytes, _handle), "cuMemcpyHtoDAsync", op);

    public void CopyToHost(void* to, ulong from, long bytes, string? op = null) =>
        CudaException.Check(cuMemcpyDtoHAsync_v2(to, from, (nuint)bytes, _handle), "cuMemcpyDtoHAsync", op);

    public void Copy(ulong to, ulong from, long bytes) => CudaException.Check(cuMemcpyDtoDAsync_v2(to, from, (nuint)bytes, _handle), "cuMemcpyDtoDAsync");

    public void Clear(ulong address, long bytes) => CudaException.Check(cuMemsetD8Async(address, 0, (nuint)bytes, _handle), "cuMemsetD8Async");

    /// <summary>Waits until all is done; an error of anything put on the stream shows here.</summary>
    public void Synchronize(string? op = null) => CudaException.Check(cuStreamSynchronize(_handle), "cuStreamSynchronize", op);

    /// <summary>Records what <paramref name="body"/> puts on the stream, without running it.</summary>
    public CudaGraphExec Capture(Action body)
    {
        const int ThreadLocal = 1;
        CudaException.Check(cuStreamBeginCapture_v2(_handle, ThreadLocal), "cuStreamBeginCapture");
        nint graph, executable;
        try
        {
            body();
        }
        catch
        {
            if (cuStreamEndCapture(_handle, &graph) == 0) _ = cuGraphDestroy(graph);
            throw;
        }
        CudaException.Check(cuStreamEndCapture(_handle, &graph), "cuStreamEndCapture");
        int code = cuGraphInstantiateWithFlags(&executable, graph, 0);
        _ = cuGraphDestroy(graph);
        CudaException.Check(code, "cuGraphInstantiate");
        return new CudaGraphExec(executable);
    }

    public void Launch(CudaGraphExec graph) => CudaException.Check(cuGraphLaunch(graph.Handle, _handle), "cuGraphLaunch");

    public void Dispose()
    {
        if (_handle == 0) return;
        if (!CudaContext.IsGone) _ = cuStreamDestroy_v2(_handle);
        _handle = 0;
    }
}
