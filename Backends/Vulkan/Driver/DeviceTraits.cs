using System.Runtime.InteropServices;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>What a device is and offers, read once from its driver.</summary>
internal sealed unsafe class DeviceTraits
{
    /// <summary>Buffers that a shader of ours is given at most.</summary>
    public const int MostBindings = 12;

    /// <summary>Bytes of push constants at most: what every device has.</summary>
    public const int MostPushBytes = 128;

    /// <summary>Shared memory and threads of a workgroup that shaders ask for at most.</summary>
    private const int SharedBytes = 16 << 10, Threads = 256;

    private readonly PhysicalDeviceMemoryProperties _memory;

    public DeviceTraits(Vk api, PhysicalDevice device)
    {
        Handle = device;
        var subgroups = new PhysicalDeviceSubgroupProperties { SType = StructureType.PhysicalDeviceSubgroupProperties };
        var driver = new PhysicalDeviceDriverProperties { SType = StructureType.PhysicalDeviceDriverProperties, PNext = &subgroups };
        var maintenance = new PhysicalDeviceMaintenance3Properties { SType = StructureType.PhysicalDeviceMaintenance3Properties, PNext = &driver };
        var properties = new PhysicalDeviceProperties2 { SType = StructureType.PhysicalDeviceProperties2, PNext = &maintenance };
        api.GetPhysicalDeviceProperties2(device, &properties);
        var storage8 = new PhysicalDevice8BitStorageFeatures { SType = StructureType.PhysicalDevice8BitStorageFeatures };
        var storage16 = new PhysicalDevice16BitStorageFeatures { SType = StructureType.PhysicalDevice16BitStorageFeatures, PNext = &storage8 };
        var features = new PhysicalDeviceFeatures2 { SType = StructureType.PhysicalDeviceFeatures2, PNext = &storage16 };
        api.GetPhysicalDeviceFeatures2(device, &features);
        PhysicalDeviceMemoryProperties memory;
        api.GetPhysicalDeviceMemoryProperties(device, &memory);
        _memory = memory;
        ref PhysicalDeviceLimits limits = ref properties.Properties.Limits;
        Name = Marshal.PtrToStringUTF8((nint)properties.Properties.DeviceName) ?? "unnamed";
        Driver = $"{Marshal.PtrToStringUTF8((nint)driver.DriverName)} {Marshal.PtrToStringUTF8((nint)driver.DriverInfo)}".Trim();
        ApiVersion = properties.Properties.ApiVersion;
        Rank = properties.Properties.DeviceType switch { PhysicalDeviceType.DiscreteGpu => 0, PhysicalDeviceType.IntegratedGpu => 1, PhysicalDeviceType.Cpu => 3, _ => 2 };
        SubgroupSize = (int)subgroups.SubgroupSize;
        HasSubgroupSums = subgroups.SupportedOperations.HasFlag(SubgroupFeatureFlags.ArithmeticBit) && subgroups.SupportedStages.HasFlag(ShaderStageFlags.ComputeBit);
        HasSmallStorage = storage8.StorageBuffer8BitAccess && storage16.StorageBuffer16BitAccess;
        MostBoundBytes = limits.MaxStorageBufferRange;
        MostAllocatedBytes = (long)Math.Min(maintenance.MaxMemoryAllocationSize, long.MaxValue);
        Alignment = (int)limits.MinStorageBufferOffsetAlignment;
        MostGroups = (int)Math.Min(Math.Min(limits.MaxComputeWorkGroupCount[0], limits.MaxComputeWorkGroupCount[1]), int.MaxValue);
        LacksLimits = limits.MaxPerStageDescriptorStorageBuffers < MostBindings || limits.MaxPushConstantsSize < MostPushBytes
            || limits.MaxComputeSharedMemorySize < SharedBytes || limits.MaxComputeWorkGroupInvocations < Threads || limits.MaxComputeWorkGroupSize[0] < Threads;
        Family = ComputeFamily(api, device);
    }

    public PhysicalDevice Handle { get; }

    /// <summary>As its driver calls it.</summary>
    public string Name { get; }

    /// <summary>The driver's name and version.</summary>
    public string Driver { get; }

    /// <summary>The version of Vulkan it has, packed.</summary>
    public uint ApiVersion { get; }

    /// <summary>Its place among others, by its kind.</summary>
    public int Rank { get; }

    /// <summary>Whether it is the processor.</summary>
    public bool IsSoftware => Rank == 3;

    /// <summary>Threads of a subgroup, as it says; shaders take any.</summary>
    public int SubgroupSize { get; }

    /// <summary>Whether subgroups add up by themselves.</summary>
    public bool HasSubgroupSums { get; }

    /// <summary>Bytes that a binding covers at most.</summary>
    public long MostBoundBytes { get; }

    /// <summary>Bytes of an allocation at most.</summary>
    public long MostAllocatedBytes { get; }

    /// <summary>What bindings begin at multiples of.</summary>
    public int Alignment { get; }

    /// <summary>Workgroups in a direction at most.</summary>
    public int MostGroups { get; }

    /// <summary>The family of queues that runs compute shaders, of its own where there is such a one; null for none.</summary>
    public uint? Family { get; }

    private bool HasSmallStorage { get; }

    private bool LacksLimits { get; }

    /// <summary>Bytes of its largest heap of its own.</summary>
    public long MemoryBytes
    {
        get
        {
            long bytes = 0;
            for (int i = 0; i < _memory.MemoryHeapCount; i++)
                if (_memory.MemoryHeaps[i].Flags.HasFlag(MemoryHeapFlags.DeviceLocalBit)) bytes = Math.Max(bytes, (long)_memory.MemoryHeaps[i].Size);
            return bytes;
        }
    }

    /// <summary>What it lacks for these shaders, as a sentence that begins with what is missing; null for nothing.</summary>
    public string? Lacks => ApiVersion < Vk.MakeVersion(1, VulkanLoader.ApiMinor) ? $"{Name} has Vulkan {ApiVersion >> 22}.{ApiVersion >> 12 & 0x3ff}, and 1.{VulkanLoader.ApiMinor} or newer is needed"
        : !HasSmallStorage ? $"{Name} cannot read 8 and 16 bits from memory (8BitStorage, 16BitStorage)"
        : LacksLimits ? $"{Name} gives shaders fewer buffers, threads or shared memory than they need ({MostBindings} buffers, {Threads} threads, {SharedBytes} bytes)"
        : Family is null ? $"{Name} has no queue for compute shaders" : null;

    /// <summary>The first type of memory among those allowed that has all wanted properties; null for none.</summary>
    public uint? MemoryType(uint allowed, MemoryPropertyFlags wanted)
    {
        for (int i = 0; i < _memory.MemoryTypeCount; i++)
            if ((allowed >> i & 1) == 1 && (_memory.MemoryTypes[i].PropertyFlags & wanted) == wanted) return (uint)i;
        return null;
    }

    /// <summary>Whether a type lies on a heap as large as the largest: where the host sees all of the device's memory, and not a window of it.</summary>
    public bool IsWhole(uint type) => (long)_memory.MemoryHeaps[(int)_memory.MemoryTypes[(int)type].HeapIndex].Size >= MemoryBytes;

    /// <summary>Whether the host caches what it reads of a type.</summary>
    public bool IsCached(uint type) => _memory.MemoryTypes[(int)type].PropertyFlags.HasFlag(MemoryPropertyFlags.HostCachedBit);

    private static uint? ComputeFamily(Vk api, PhysicalDevice device)
    {
        uint count = 0;
        api.GetPhysicalDeviceQueueFamilyProperties(device, &count, null);
        var families = new QueueFamilyProperties[count];
        fixed (QueueFamilyProperties* to = families) api.GetPhysicalDeviceQueueFamilyProperties(device, &count, to);
        uint? any = null;
        for (uint i = 0; i < count; i++)
        {
            QueueFlags flags = families[i].QueueFlags;
            if (!flags.HasFlag(QueueFlags.ComputeBit)) continue;
            if (!flags.HasFlag(QueueFlags.GraphicsBit)) return i;
            any ??= i;
        }
        return any;
    }
}
