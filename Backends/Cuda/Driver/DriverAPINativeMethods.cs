using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cuda;

/// <summary>The driver's own functions, under their own names. The library is the one that <see cref="CudaDriver"/> found.</summary>
internal static unsafe partial class DriverAPINativeMethods
{
    public const string Library = "cuda";

    [LibraryImport(Library)] public static partial int cuInit(uint flags);
    [LibraryImport(Library)] public static partial int cuDriverGetVersion(int* version);
    [LibraryImport(Library)] public static partial int cuGetErrorName(int code, byte** name);
    [LibraryImport(Library)] public static partial int cuGetErrorString(int code, byte** text);

    [LibraryImport(Library)] public static partial int cuDeviceGetCount(int* count);
    [LibraryImport(Library)] public static partial int cuDeviceGet(int* device, int ordinal);
    [LibraryImport(Library)] public static partial int cuDeviceGetName(byte* name, int length, int device);
    [LibraryImport(Library)] public static partial int cuDeviceGetAttribute(int* value, int attribute, int device);
    [LibraryImport(Library)] public static partial int cuDeviceTotalMem_v2(nuint* bytes, int device);
    [LibraryImport(Library)] public static partial int cuDevicePrimaryCtxRetain(nint* context, int device);
    [LibraryImport(Library)] public static partial int cuDevicePrimaryCtxRelease_v2(int device);
    [LibraryImport(Library)] public static partial int cuCtxSetCurrent(nint context);
    [LibraryImport(Library)] public static partial int cuCtxGetId(nint context, ulong* id);

    [LibraryImport(Library)] public static partial int cuLinkCreate_v2(uint count, int* options, void** values, nint* state);
    [LibraryImport(Library)] public static partial int cuLinkAddData_v2(nint state, int type, void* data, nuint bytes, byte* name, uint count, int* options, void** values);
    [LibraryImport(Library)] public static partial int cuLinkComplete(nint state, void** image, nuint* bytes);
    [LibraryImport(Library)] public static partial int cuLinkDestroy(nint state);
    [LibraryImport(Library)] public static partial int cuModuleLoadData(nint* module, void* image);
    [LibraryImport(Library)] public static partial int cuModuleUnload(nint module);
    [LibraryImport(Library)] public static partial int cuModuleGetFunction(nint* function, nint module, byte* name);
    [LibraryImport(Library)] public static partial int cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)] public static partial int cuMemAlloc_v2(ulong* address, nuint bytes);
    [LibraryImport(Library)] public static partial int cuMemFree_v2(ulong address);
    [LibraryImport(Library)] public static partial int cuMemGetInfo_v2(nuint* free, nuint* total);
    [LibraryImport(Library)] public static partial int cuMemHostRegister_v2(void* address, nuint bytes, uint flags);
    [LibraryImport(Library)] public static partial int cuMemHostUnregister(void* address);
    [LibraryImport(Library)] public static partial int cuMemHostGetDevicePointer_v2(ulong* device, void* address, uint flags);
    [LibraryImport(Library)] public static partial int cuMemcpyHtoDAsync_v2(ulong to, void* from, nuint bytes, nint stream);
    [LibraryImport(Library)] public static partial int cuMemcpyDtoHAsync_v2(void* to, ulong from, nuint bytes, nint stream);
    [LibraryImport(Library)] public static partial int cuMemcpyDtoDAsync_v2(ulong to, ulong from, nuint bytes, nint stream);
    [LibraryImport(Library)] public static partial int cuMemsetD8Async(ulong address, byte value, nuint bytes, nint stream);

    [LibraryImport(Library)] public static partial int cuStreamCreate(nint* stream, uint flags);
    [LibraryImport(Library)] public static partial int cuStreamDestroy_v2(nint stream);
    [LibraryImport(Library)] public static partial int cuStreamSynchronize(nint stream);
    [LibraryImport(Library)] public static partial int cuEventCreate(nint* handle, uint flags);
    [LibraryImport(Library)] public static partial int cuEventDestroy_v2(nint handle);
    [LibraryImport(Library)] public static partial int cuEventRecord(nint handle, nint stream);
    [LibraryImport(Library)] public static partial int cuEventSynchronize(nint handle);
    [LibraryImport(Library)] public static partial int cuEventElapsedTime(float* milliseconds, nint start, nint end);

    [LibraryImport(Library)]
    public static partial int cuTensorMapEncodeTiled(void* map, int type, uint rank, ulong address, ulong* sizes, ulong* strides, uint* box, uint* steps, int interleave, int swizzle, int promotion, int fill);

    [LibraryImport(Library)]
    public static partial int cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream, void** parameters, void** extra);
    [LibraryImport(Library)] public static partial int cuLaunchKernelEx(CUlaunchConfig* config, nint function, void** parameters, void** extra);
    [LibraryImport(Library)] public static partial int cuStreamBeginCapture_v2(nint stream, int mode);
    [LibraryImport(Library)] public static partial int cuStreamEndCapture(nint stream, nint* graph);
    [LibraryImport(Library)] public static partial int cuGraphInstantiateWithFlags(nint* executable, nint graph, ulong flags);
    [LibraryImport(Library)] public static partial int cuGraphLaunch(nint executable, nint stream);
    [LibraryImport(Library)] public static partial int cuGraphDestroy(nint graph);
    [LibraryImport(Library)] public static partial int cuGraphExecDestroy(nint executable);
}
