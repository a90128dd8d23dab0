using System.Runtime.InteropServices;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>The system's Vulkan loader, the one instance of this process, and the devices that its drivers have.</summary>
internal static unsafe class VulkanLoader
{
    /// <summary>The version that is asked for: what 8- and 16-bit storage and the rest of the floor came with.</summary>
    public const uint ApiMinor = 2;

    private static readonly Lazy<Opened> Loader = new(Open);

    private sealed record Opened(Vk? Api, DeviceTraits[] Devices, string? WhyNot);

    /// <summary>Why there is no device at all, as a sentence that begins with what is missing; null where there is one.</summary>
    public static string? WhyNot => Loader.Value.WhyNot;

    /// <summary>Vulkan's functions.</summary>
    public static Vk Api => Loader.Value.Api ?? throw new InvalidOperationException($"Vulkan: {WhyNot}.");

    /// <summary>The devices: cards first, then those that share the host's memory, software last; else as their drivers number them.</summary>
    public static IReadOnlyList<DeviceTraits> Devices => Loader.Value.Devices;

    private static Opened Open()
    {
        if (!TryLoad(out nint library)) return Missing("no loader found (libvulkan.so.1 or vulkan-1.dll); install the GPU's driver, or Mesa's");
        Vk? api = null;
        api = new Vk(new NativeContext(name => NativeLibrary.TryGetExport(library, name, out nint address) ? address
            : name.EndsWith("ProcAddr", StringComparison.Ordinal) || api is null ? 0 : (nint)api.GetInstanceProcAddr(api.CurrentInstance.GetValueOrDefault(), name)));
        var application = new ApplicationInfo { SType = StructureType.ApplicationInfo, ApiVersion = Vk.MakeVersion(1, ApiMinor) };
        var create = new InstanceCreateInfo { SType = StructureType.InstanceCreateInfo, PApplicationInfo = &application };
        Instance instance;
        Result result = api.CreateInstance(&create, null, &instance);
        if (result == Result.ErrorIncompatibleDriver) return Missing("the loader finds no driver for any device; install the GPU's driver, or Mesa's");
        if (result != Result.Success) return Missing($"no instance can be made: vkCreateInstance failed with {result}");
        api.CurrentInstance = instance;
        uint count = 0;
        result = api.EnumeratePhysicalDevices(instance, &count, null);
        var devices = new PhysicalDevice[count];
        fixed (PhysicalDevice* to = devices)
            if (result == Result.Success && count > 0) result = api.EnumeratePhysicalDevices(instance, &count, to);
        if (result != Result.Success) return Missing($"the devices cannot be listed: vkEnumeratePhysicalDevices failed with {result}");
        DeviceTraits[] sorted = [.. devices.Select(d => new DeviceTraits(api, d)).OrderBy(d => d.Rank)];
        return new Opened(api, sorted, count == 0 ? "the drivers that are installed have no device" : null);
    }

    private static Opened Missing(string why) => new(null, [], why);

    private static bool TryLoad(out nint library)
    {
        foreach (string name in (ReadOnlySpan<string>)["libvulkan.so.1", "vulkan-1.dll", "libvulkan.1.dylib", "libMoltenVK.dylib"])
            if (NativeLibrary.TryLoad(name, out library)) return true;
        library = 0;
        return false;
    }
}
