using System.Runtime.InteropServices;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>The primary context of a device. Calls are made current on the thread that makes them.</summary>
internal sealed unsafe class CudaContext : IDisposable
{
    private const int Deinitialized = 4, InvalidContext = 201, ContextIsDestroyed = 709;

    private readonly int _device;
    [ThreadStatic] private static CudaContext? t_current;

    private readonly nint _handle;
    private readonly ulong _id;
    private bool _disposed, _gone;

    public CudaContext(int ordinal)
    {
        _device = Device(ordinal);
        Capability = CapabilityOf(ordinal);
        MultiProcessors = Attribute(_device, CUDeviceAttribute.MultiProcessorCount);
        MostSharedBytes = Attribute(_device, CUDeviceAttribute.MaxSharedMemoryPerBlockOptIn);
        nint context;
        CudaException.Check(cuDevicePrimaryCtxRetain(&context, _device), "cuDevicePrimaryCtxRetain", $"device {ordinal}");
        _handle = context;
        try
        {
            ulong id;
            CudaException.Check(cuCtxGetId(context, &id), "cuCtxGetId");
            _id = id;
            MakeCurrent();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Compute capability: 90 is 9.0.</summary>
    public int Capability { get; }

    public int MultiProcessors { get; }

    /// <summary>Shared memory that a block may have at most.</summary>
    public int MostSharedBytes { get; }

    /// <summary>Where runs note their time; null, as a rule, for nowhere.</summary>
    public KernelProfile? Profile { get; set; }

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

    /// <summary>
    /// Whether somebody has destroyed the context of this thread. All that was made in it went with it, and nothing of it may be handed to the driver again, not even
    /// to be given back: on an H100 (580.159) cuGraphExecDestroy then waits for a lock forever.
    /// </summary>
    public static bool IsGone => t_current is { _gone: true };

    /// <exception cref="CudaException">Somebody has destroyed the context. cuCtxSetCurrent does not mind (580.159), and cuGraphLaunch may end the process then.</exception>
    public void MakeCurrent()
    {
        t_current = this;
        CudaException.Check(cuCtxSetCurrent(_handle), "cuCtxSetCurrent");
        CudaException.Check(WhyGone(), "cuCtxGetId");
    }

    /// <summary>The same before something is given back, which is tried on a lost device too, but not where the context is no more (<see cref="IsGone"/>).</summary>
    public void TryMakeCurrent()
    {
        t_current = this;
        _ = cuCtxSetCurrent(_handle);
        _gone |= WhyGone() is Deinitialized or InvalidContext or ContextIsDestroyed;
    }

    /// <summary>The code for a context that is not there, or whose handle another has by now, as a device's next one has; else 0. It takes 12 ns.</summary>
    private int WhyGone()
    {
        ulong id;
        int code = cuCtxGetId(_handle, &id);
        return code != 0 ? code : id == _id ? 0 : ContextIsDestroyed;
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _ = cuDevicePrimaryCtxRelease_v2(_device);
    }

    /// <summary>The compute capability of a device, without a context on it.</summary>
    public static int CapabilityOf(int ordinal)
    {
        int device = Device(ordinal);
        return 10 * Attribute(device, CUDeviceAttribute.ComputeCapabilityMajor) + Attribute(device, CUDeviceAttribute.ComputeCapabilityMinor);
    }

    private static int Device(int ordinal)
    {
        int device;
        CudaException.Check(cuDeviceGet(&device, ordinal), "cuDeviceGet", $"device {ordinal}");
        return device;
    }

    private static int Attribute(int device, CUDeviceAttribute attribute)
    {
        int value;
        CudaException.Check(cuDeviceGetAttribute(&value, (int)attribute, device), "cuDeviceGetAttribute");
        return value;
    }
}
