using System.Runtime.InteropServices;
using MambaRT.Backends.Cuda;

namespace MambaRT.Tests;

/// <summary>The emulated driver of this process: what it is to do wrong, and what was not given back to it.</summary>
internal static unsafe class EmulatedCuda
{
    /// <summary>CUDA_ERROR_OUT_OF_MEMORY, and the end of a device.</summary>
    public const int OutOfMemory = 2, IllegalAddress = 700;

    private static readonly nint Library = Load();

    /// <summary>Whether it is there.</summary>
    public static bool IsLoaded => Library != 0;

    /// <summary>Bytes of the device in use.</summary>
    public static long Used => ((delegate* unmanaged<long>)Export("mock_used"))();

    /// <summary>Handles and pieces of page-locked memory in use.</summary>
    public static long Alive => ((delegate* unmanaged<long>)Export("mock_alive"))();

    /// <summary>Lets a call fail, after it went well so many times.</summary>
    public static void Fail(string call, int after, int code)
    {
        nint name = Marshal.StringToCoTaskMemUTF8(call);
        ((delegate* unmanaged<nint, int, int, void>)Export("mock_fail"))(name, after, code);
        Marshal.FreeCoTaskMem(name);
    }

    /// <summary>The device is well again.</summary>
    public static void Heal() => Fail("", -1, 0);

    /// <summary>How long the driver takes to compile a module.</summary>
    public static void CompileFor(int milliseconds) => ((delegate* unmanaged<int, void>)Export("mock_compile_time"))(milliseconds);

    /// <summary>How much memory the device has.</summary>
    public static void Resize(long bytes) => ((delegate* unmanaged<long, void>)Export("mock_memory"))(bytes);

    private static nint Load() =>
        CudaDriver.IsAvailable && NativeLibrary.TryLoad("libcuda.so.1", out nint library) && NativeLibrary.TryGetExport(library, "mock_alive", out _) ? library : 0;

    private static nint Export(string name) => NativeLibrary.GetExport(Library, name);
}
