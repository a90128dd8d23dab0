using System.Runtime.InteropServices;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>What a device is and offers, read once from its driver.</summary>
internal sealed unsafe class DeviceTraits
{
    /// <summary>Buffers that a shader of ours is given at most.</summary>
    public const int MostBindings = 13;

    /// <summary>Bytes of push constants at most: what every device has.</summary>
    public const int MostPushBytes = 128;

    /// <summary>Shared memory and threads of a workgroup that shaders ask for at most.</summary>
    private const int LeastSharedBytes = 16 << 10, Threads = 256;

    /// <summary>Threads that hold a matrix together, and its sides, as Shaders/glsl/matrices.comp has them.</summary>
    private const int MatrixLanes = 32, MatrixSide = 16;

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
        HasSubgroupSums = subgroups.SupportedOperations.HasFlag(SubgroupFeatureFlags.ArithmeticBit | SubgroupFeatureFlags.ShuffleBit) && subgroups.SupportedStages.HasFlag(ShaderStageFlags.ComputeBit);
        HasSmallStorage = storage8.StorageBuffer8BitAccess && storage16.StorageBuffer16BitAccess;
        MostBoundBytes = limits.MaxStorageBufferRange;
        MostAllocatedBytes = (long)Math.Min(maintenance.MaxMemoryAllocationSize, long.MaxValue);
        Alignment = (int)limits.MinStorageBufferOffsetAlignment;
        MostGroups = (int)Math.Min(Math.Min(limits.MaxComputeWorkGroupCount[0], limits.MaxComputeWorkGroupCount[1]), int.MaxValue);
        SharedBytes = (int)Math.Min(limits.MaxComputeSharedMemorySize, int.MaxValue);
        LacksLimits = limits.MaxPerStageDescriptorStorageBuffers < MostBindings || limits.MaxPushConstantsSize < MostPushBytes
            || limits.MaxComputeSharedMemorySize < LeastSharedBytes || limits.MaxComputeWorkGroupInvocations < Threads || limits.MaxComputeWorkGroupSize[0] < Threads;
        HasMatrices = SubgroupSize == MatrixLanes && HasSixteens(api, device);
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

    /// <summary>Memory that the threads of a workgroup share at most, in bytes.</summary>
    public int SharedBytes { get; }

    /// <summary>Whether subgroups add up by themselves.</summary>
    public bool HasSubgroupSums { get; }

    /// <summary>Whether subgroups multiply matrices of halves of 16 x 16, with sums in float32.</summary>
    public bool HasMatrices { get; }

    /// <summary>The extension that they come with, as the driver is told.</summary>
    public static ReadOnlySpan<byte> MatrixExtension => "VK_KHR_cooperative_matrix\0"u8;

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
        : LacksLimits ? $"{Name} gives shaders fewer buffers, threads or shared memory than they need ({MostBindings} buffers, {Threads} threads, {LeastSharedBytes} bytes)"
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

    private static bool HasSixteens(Vk api, PhysicalDevice device)
    {
        if (!HasExtension(api, device, MatrixExtension)) return false;
        var halves = new PhysicalDeviceShaderFloat16Int8Features { SType = StructureType.PhysicalDeviceShaderFloat16Int8Features };
        var model = new PhysicalDeviceVulkanMemoryModelFeatures { SType = StructureType.PhysicalDeviceVulkanMemoryModelFeatures, PNext = &halves };
        var matrices = new PhysicalDeviceCooperativeMatrixFeaturesKHR { SType = StructureType.PhysicalDeviceCooperativeMatrixFeaturesKhr, PNext = &model };
        var features = new PhysicalDeviceFeatures2 { SType = StructureType.PhysicalDeviceFeatures2, PNext = &matrices };
        api.GetPhysicalDeviceFeatures2(device, &features);
        if (!matrices.CooperativeMatrix || !model.VulkanMemoryModel || !halves.ShaderFloat16) return false;
        nint list = (nint)api.GetInstanceProcAddr(api.CurrentInstance.GetValueOrDefault(), "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
        if (list == 0) return false;
        var properties = (delegate* unmanaged<PhysicalDevice, uint*, CooperativeMatrixPropertiesKHR*, Result>)list;
        uint count = 0;
        if (properties(device, &count, null) != Result.Success) return false;
        var kinds = new CooperativeMatrixPropertiesKHR[count];
        kinds.AsSpan().Fill(new CooperativeMatrixPropertiesKHR { SType = StructureType.CooperativeMatrixPropertiesKhr });
        fixed (CooperativeMatrixPropertiesKHR* to = kinds)
            if (properties(device, &count, to) != Result.Success) return false;
        foreach (ref readonly CooperativeMatrixPropertiesKHR kind in kinds.AsSpan(0, (int)count))
            if (kind.MSize == MatrixSide && kind.NSize == MatrixSide && kind.KSize == MatrixSide && kind.Scope == ScopeKHR.SubgroupKhr
                && kind.AType == ComponentTypeKHR.Float16Khr && kind.BType == ComponentTypeKHR.Float16Khr
                && kind.CType == ComponentTypeKHR.Float32Khr && kind.ResultType == ComponentTypeKHR.Float32Khr) return true;
        return false;
    }

    private static bool HasExtension(Vk api, PhysicalDevice device, ReadOnlySpan<byte> name)
    {
        uint count = 0;
        if (api.EnumerateDeviceExtensionProperties(device, (byte*)null, &count, null) != Result.Success) return false;
        var extensions = new ExtensionProperties[count];
        fixed (ExtensionProperties* to = extensions)
        {
            if (api.EnumerateDeviceExtensionProperties(device, (byte*)null, &count, to) != Result.Success) return false;
            for (uint i = 0; i < count; i++)
                if (new ReadOnlySpan<byte>(to[i].ExtensionName, name.Length).SequenceEqual(name)) return true;
        }
        return false;
    }

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
