using System.Runtime.InteropServices;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>The primary context of a device. Calls are made current on the thread that makes them.</summary>
internal sealed unsafe class CudaContext : IDisposable
{
    private readonly int _device;
    private readonly nint _handle;
    private bool _disposed;

    public CudaContext(int ordinal)
    {
        int device;
        CudaException.Check(cuDeviceGet(&device, ordinal), "cuDeviceGet", $"device {ordinal}");
        _device = device;
        Capability = 10 * Attribute(CUDeviceAttribute.ComputeCapabilityMajor) + Attribute(CUDeviceAttribute.ComputeCapabilityMinor);
        MultiProcessors = Attribute(CUDeviceAttribute.MultiProcessorCount);
        nint context;
        CudaException.Check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain", $"device {ordinal}");
        _handle = context;
        MakeCurrent();
    }

    /// <summary>Compute capability: 90 is 9.0.</summary>
    public int Capability { get; }

    public int MultiProcessors { get; }

    /// <summary>Where runs note their time; null, as a rule, for nowhere.</summary>
    public CudaProfile? Profile { get; set; }

    public string DeviceName
    {
        get
        {
            byte* name = stackalloc byte[256];
            CudaException.Check(cuDeviceGetName(name, 256, _device), "cuDeviceGetName");
            return Marshal.PtrToStringUTF8((nint)name) ?? "";
        }
    }

    public long TotalBytes
    {
        get
        {
            nuint bytes;
            CudaException.Check(cuDeviceTotalMem_v2(&bytes, _device), "cuDeviceTotalMem");
            return (long)bytes;
        }
    }

    /// <summary>Bytes that nobody uses now.</summary>
    public long FreeBytes
    {
        get
        {
            MakeCurrent();
            nuint free, total;
            CudaException.Check(cuMemGetInfo_v2(&free, &total), "cuMemGetInfo");
            return (long)free;
        }
    }

    public void MakeCurrent() => CudaException.Check(cuCtxSetCurrent(_handle), "cuCtxSetCurrent");

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _ = cuDevicePrimaryCtxRelease_v2(_device);
    }

    private int Attribute(CUDeviceAttribute attribute)
    {
        int value;
        CudaException.Check(cuDeviceGetAttribute(&value, (int)attribute, _device), "cuDeviceGetAttribute");
        return value;
    }
}
