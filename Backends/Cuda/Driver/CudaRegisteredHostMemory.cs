using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>
/// Managed memory, page-locked, that the device reads and writes by itself until this is disposed. Spans of it outlive that; and a context that somebody destroys takes
/// none of it away, as it would memory of the driver's.
/// </summary>
internal sealed unsafe class CudaRegisteredHostMemory : IDisposable
{
    private const uint Portable = 1, Mapped = 2;

    private readonly float[] _array;   // whole pages of it are registered, as the driver registers no page twice
    private readonly int _start;
    private bool _registered;

    public CudaRegisteredHostMemory(long bytes)
    {
        int page = Environment.SystemPageSize;
        long whole = (Math.Max(bytes, 1) + page - 1) / page * page;
        _array = GC.AllocateArray<float>(checked((int)((whole + page) / sizeof(float))), pinned: true);
        var first = (ulong)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_array));   // pinned
        Address = (byte*)((first + (ulong)page - 1) / (ulong)page * (ulong)page);
        _start = (int)((ulong)Address - first) / sizeof(float);
        CudaException.Check(cuMemHostRegister_v2(Address, (nuint)whole, Portable | Mapped), "cuMemHostRegister", $"{whole} bytes");
        _registered = true;
        ulong device;
        int code = cuMemHostGetDevicePointer_v2(&device, Address, 0);
        if (code != 0) Dispose();
        CudaException.Check(code, "cuMemHostGetDevicePointer");
        Device = device;
    }

    /// <summary>Where copies go.</summary>
    public byte* Address { get; }

    /// <summary>Where kernels find it.</summary>
    public ulong Device { get; }

    /// <summary>Values from an offset on, a multiple of four bytes.</summary>
    public Span<T> Span<T>(long offset, int count) where T : unmanaged =>
        MemoryMarshal.Cast<float, T>(_array.AsSpan(checked((int)(_start + offset / sizeof(float)))))[..count];

    public void Dispose()
    {
        if (!_registered) return;
        _registered = false;
        if (!CudaContext.IsGone) _ = cuMemHostUnregister(Address);
    }
}
