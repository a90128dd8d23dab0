using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cuda;

/// <summary>The driver's library: found once in a process, or not at all.</summary>
public static unsafe class CudaDriver
{
    private static readonly string[] Names = OperatingSystem.IsWindows()
        ? ["nvcuda.dll"]
        : ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/local/cuda/compat/libcuda.so.1", "libcuda.so"];

    private static readonly Lazy<string?> Trouble = new(Start);
    private static nint _library;
    private static string? _path;

    /// <summary>Whether there is a driver with at least one device.</summary>
    public static bool IsAvailable => WhyNot is null;

    /// <summary>Why there is none, as a sentence, or null.</summary>
    public static string? WhyNot => Trouble.Value;

    /// <summary>The devices there are.</summary>
    public static int DeviceCount { get; private set; }

    /// <summary>Takes the driver from a file of its own; only before it is first used.</summary>
    internal static void Use(string path)
    {
        if (Trouble.IsValueCreated) throw new InvalidOperationException("The CUDA driver is already in use; name another before the first call.");
        _path = path;
    }

    private static string? Start()
    {
        foreach (string name in _path is null ? Names : [_path])
            if (NativeLibrary.TryLoad(name, out _library)) break;
        if (_library == 0) return "no driver found";
        NativeLibrary.SetDllImportResolver(typeof(CudaDriver).Assembly, (name, _, _) => name == DriverAPINativeMethods.Library ? _library : 0);
        try
        {
            int version, count;
            int code = DriverAPINativeMethods.cuInit(0);
            if (code != 0) return $"the driver does not start: {CudaException.Describe("cuInit", code)}";
            CudaException.Check(DriverAPINativeMethods.cuDriverGetVersion(&version), "cuDriverGetVersion");
            if (version < 12000) return $"the driver is for CUDA {version / 1000}.{version % 1000 / 10}; 12.0 is needed. Install a newer driver";
            CudaException.Check(DriverAPINativeMethods.cuDeviceGetCount(&count), "cuDeviceGetCount");
            DeviceCount = count;
            return count > 0 ? null : "the driver sees no device";
        }
        catch (CudaException e)
        {
            return $"the driver cannot be used: {e.Message}";
        }
        catch (EntryPointNotFoundException e)
        {
            return $"the driver cannot be used, as its library lacks a function ({e.Message.TrimEnd('.')}); install NVIDIA's driver anew";
        }
    }
}
