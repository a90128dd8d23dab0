using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>A call of the Vulkan driver that failed: the call, its result by name, and what it was for.</summary>
public sealed class VulkanException : IOException
{
    private readonly Result _result;

    internal VulkanException(string call, Result result, string? what = null)
        : base($"{(what is null ? "" : what + ": ")}{call} failed with {result}{Meaning(result)}") => (Call, _result) = (call, result);

    /// <summary>The driver's function.</summary>
    public string Call { get; }

    /// <summary>Whether the device or the host had too little memory: nothing else is lost then.</summary>
    public bool IsOutOfMemory => _result is Result.ErrorOutOfDeviceMemory or Result.ErrorOutOfHostMemory or Result.ErrorTooManyObjects;

    /// <summary>Whether the device is gone, with all that was on it.</summary>
    public bool IsDeviceLost => _result == Result.ErrorDeviceLost;

    internal static void Check(Result result, string call, string? what = null)
    {
        if (result != Result.Success) throw new VulkanException(call, result, what);
    }

    private static string Meaning(Result result) => result switch
    {
        Result.ErrorOutOfDeviceMemory => " (the device has too little memory; choose a smaller model or type, or --backend cpu)",
        Result.ErrorOutOfHostMemory => " (the host has too little memory)",
        Result.ErrorDeviceLost => " (the device is lost: its driver gave it up, and what was on it is gone; start again, or choose --backend cpu)",
        Result.Timeout => " (workgroups waited for one that was not under way; what the slot held is lost, and steps go by several dispatches from now on)",
        Result.ErrorTooManyObjects => " (the driver has no room for more allocations)",
        _ => "",
    };
}
