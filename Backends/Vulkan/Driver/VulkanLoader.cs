using System.Runtime.InteropServices;

namespace MambaRT.Backends.Vulkan;

/// <summary>The system's Vulkan loader, and the one instance of this process that goes through it.</summary>
internal static class VulkanLoader
{
    private static readonly Lazy<VulkanInstance> Shared = new(() =>
        VulkanInstance.Open(TryLoad(out nint library) ? name => NativeLibrary.TryGetExport(library, name, out nint address) ? address : 0 : null));

    /// <summary>The instance; it lives as long as the process.</summary>
    public static VulkanInstance Instance => Shared.Value;

    private static bool TryLoad(out nint library)
    {
        foreach (string name in (ReadOnlySpan<string>)["libvulkan.so.1", "vulkan-1.dll", "libvulkan.1.dylib", "libMoltenVK.dylib"])
            if (NativeLibrary.TryLoad(name, out library)) return true;
        library = 0;
        return false;
    }
}
