using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>Memory of the device with one owner; begins on a multiple of 256 bytes.</summary>
internal sealed unsafe class CudaDeviceMemory : IDisposable
{
    public CudaDeviceMemory(long bytes, string subject)
    {
        ulong address = 0;
        Bytes = Math.Max(bytes, 16);
        CudaException.Check(cuMemAlloc_v2(&address, (nuint)Bytes), "cuMemAlloc", $"{subject}, {Bytes} bytes");
        Address = address;
    }

    public ulong Address { get; private set; }

    public long Bytes { get; }

    public void Dispose()
    {
        if (Address == 0) return;
        if (!CudaContext.IsGone) _ = cuMemFree_v2(Address);
        Address = 0;
    }
}
