using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>An instance of Vulkan and the devices that its drivers have; or, where there is none, why.</summary>
internal sealed unsafe class VulkanInstance : IDisposable
{
    /// <summary>The version that is asked for: what 8- and 16-bit storage and the rest of the floor came with.</summary>
    public const uint ApiMinor = 2;

    private readonly Vk? _api;
    private Instance _instance;

    private VulkanInstance(Vk? api, Instance instance, DeviceTraits[] devices, string? whyNot) => (_api, _instance, Devices, WhyNot) = (api, instance, devices, whyNot);

    /// <summary>Why there is no device at all, as a sentence that begins with what is missing; null where there is one.</summary>
    public string? WhyNot { get; }

    /// <summary>The devices: cards first, then those that share the host's memory, software last; else as their drivers number them.</summary>
    public IReadOnlyList<DeviceTraits> Devices { get; }

    /// <summary>Makes an instance.</summary>
    /// <param name="exports">Finds what a loader exports, 0 for what it has not; null where there is no loader.</param>
    public static VulkanInstance Open(Func<string, nint>? exports)
    {
        if (exports is null) return Missing("no loader found (libvulkan.so.1 or vulkan-1.dll); install the GPU's driver, or Mesa's");
        try
        {
            return Make(exports);
        }
        catch (EntryPointNotFoundException e)
        {
            return Missing($"what is installed as its loader lacks a function ({e.Message.TrimEnd('.')}); install the GPU's driver, or Mesa's");
        }
    }

    /// <summary>Why a device cannot be used, as a sentence that begins with what is missing; null when it can.</summary>
    public string? WhyNotDevice(int device) => WhyNot
        ?? (IsBeyond(device) ? $"there is no device {device}, only vulkan:0{(Devices.Count == 1 ? "" : $" to vulkan:{Devices.Count - 1}")}" : Devices[device].Lacks);

    /// <summary>Whether a number is none of a device, and others are.</summary>
    public bool IsBeyond(int device) => WhyNot is null && device >= Devices.Count;

    public void Dispose()
    {
        if (_instance.Handle != 0) _api!.DestroyInstance(_instance, null);   // there where the instance is
        _instance = default;
    }

    private static VulkanInstance Make(Func<string, nint> exports)
    {
        Vk? api = null;
        api = new Vk(new NativeContext(name => exports(name) is not 0 and nint address ? address
            : name.EndsWith("ProcAddr", StringComparison.Ordinal) || api is null ? 0 : (nint)api.GetInstanceProcAddr(api.CurrentInstance.GetValueOrDefault(), name)));
        var application = new ApplicationInfo { SType = StructureType.ApplicationInfo, ApiVersion = Vk.MakeVersion(1, ApiMinor) };
        var create = new InstanceCreateInfo { SType = StructureType.InstanceCreateInfo, PApplicationInfo = &application };
        Instance instance;
        Result result = api.CreateInstance(&create, null, &instance);
        if (result == Result.ErrorIncompatibleDriver) return Missing("the loader finds no driver for any device; install the GPU's driver, or Mesa's");
        if (result == Result.ErrorOutOfHostMemory)
            return Missing("no instance can be made: vkCreateInstance failed with ErrorOutOfHostMemory, which the loader also says where it cannot read what names its drivers; check VK_DRIVER_FILES, or install the driver anew");
        if (result != Result.Success) return Missing($"no instance can be made: {new VulkanException("vkCreateInstance", result).Message}");
        api.CurrentInstance = instance;
        result = List(api, instance, out PhysicalDevice[] devices);
        if (result == Result.Success && devices.Length > 0) return new VulkanInstance(api, instance, [.. devices.Select(d => new DeviceTraits(api, d)).OrderBy(d => d.Rank)], null);
        return new VulkanInstance(api, instance, [], result == Result.Success ? "the drivers that are installed have no device"
            : $"the devices cannot be listed: {new VulkanException("vkEnumeratePhysicalDevices", result).Message}");
    }

    private static Result List(Vk api, Instance instance, out PhysicalDevice[] devices)
    {
        uint count = 0;
        Result result = api.EnumeratePhysicalDevices(instance, &count, null);
        devices = new PhysicalDevice[result == Result.Success ? count : 0];
        if (devices.Length == 0) return result;
        fixed (PhysicalDevice* to = devices) result = api.EnumeratePhysicalDevices(instance, &count, to);
        return result == Result.Incomplete ? Result.Success : result;   // one more has come meanwhile
    }

    private static VulkanInstance Missing(string why) => new(null, default, [], why);
}
