using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>Memory of the host that the device reads and writes by itself.</summary>
internal sealed unsafe class CudaPageLockedHostMemory : IDisposable
{
    private void* _address;

    public CudaPageLockedHostMemory(long bytes)
    {
        void* address;
        Bytes = Math.Max(bytes, 16);
        CudaException.Check(cuMemAllocHost_v2(&address, (nuint)Bytes), "cuMemAllocHost", $"{Bytes} bytes");
        _address = address;
    }

    public byte* Address => (byte*)_address;

    public long Bytes { get; }

    public Span<T> Span<T>(long offset, int count) where T : unmanaged => new(Address + offset, count);

    public void Dispose()
    {
        if (_address is null) return;
        _ = cuMemFreeHost(_address);
        _address = null;
    }
}
