using System.Runtime.InteropServices;
using System.Text;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>What a device is and offers, read once from its driver.</summary>
internal sealed unsafe class DeviceTraits
{
    private const string ExtMemoryBudget = "VK_EXT_memory_budget";

    /// <summary>Buffers that a shader of ours is given at most.</summary>
    public const int MostBindings = 13;

    /// <summary>Buffers beside them that a shader reads as texels at most, on devices where that is quicker.</summary>
    public const int MostTexels = 9;

    /// <summary>Bytes of push constants at most: what every device has.</summary>
    public const int MostPushBytes = 128;

    /// <summary>Shared memory and threads of a workgroup that shaders ask for at most.</summary>
    private const int LeastSharedBytes = 16 << 10, Threads = 256;

    /// <summary>Threads that hold a matrix together, its sides, and shared memory of such products at most, as Shaders/glsl/matrices.comp has them.</summary>
    private const int MatrixLanes = 32, MatrixSide = 16, MatrixSharedBytes = 32 << 10;

    /// <summary>Threads of a subgroup that round a block of activations together (Shaders/glsl/rounded.glsl).</summary>
    private const int DotLanes = 8;

    /// <summary>What other programs and the driver itself hold, as a share of the memory, where the driver does not say what is free.</summary>
    private const int ReservedShare = 10;

    private readonly PhysicalDeviceMemoryProperties _memory;
    private readonly HashSet<string> _extensions;
    private readonly int _clockBits;
    private readonly double _nanosecondsOfTick;

    /// <summary>What shaders see under a number: storage buffers, and texels behind them.</summary>
    public static DescriptorType TypeOf(uint binding) => binding < MostBindings ? DescriptorType.StorageBuffer : DescriptorType.UniformTexelBuffer;

    public DeviceTraits(Vk api, PhysicalDevice device)
    {
        (Api, Handle) = (api, device);
        _extensions = Extensions(api, device);
        var subgroups = new PhysicalDeviceSubgroupProperties { SType = StructureType.PhysicalDeviceSubgroupProperties };
        var ids = new PhysicalDeviceIDProperties { SType = StructureType.PhysicalDeviceIDProperties, PNext = &subgroups };
        var driver = new PhysicalDeviceDriverProperties { SType = StructureType.PhysicalDeviceDriverProperties, PNext = &ids };
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
        Identity = IdentityOf(properties.Properties, ids);
        Rank = properties.Properties.DeviceType switch { PhysicalDeviceType.DiscreteGpu => 0, PhysicalDeviceType.IntegratedGpu => 1, PhysicalDeviceType.Cpu => 3, _ => 2 };
        SubgroupSize = (int)subgroups.SubgroupSize;
        HasSubgroupSums = subgroups.SupportedOperations.HasFlag(SubgroupFeatureFlags.ArithmeticBit | SubgroupFeatureFlags.ShuffleBit) && subgroups.SupportedStages.HasFlag(ShaderStageFlags.ComputeBit);
        HasSmallStorage = storage8.StorageBuffer8BitAccess && storage16.StorageBuffer16BitAccess;
        MostBoundBytes = limits.MaxStorageBufferRange;
        MostAllocatedBytes = (long)Math.Min(maintenance.MaxMemoryAllocationSize, long.MaxValue);
        Alignment = (int)limits.MinStorageBufferOffsetAlignment;
        MostGroups = (int)Math.Min(Math.Min(limits.MaxComputeWorkGroupCount[0], limits.MaxComputeWorkGroupCount[1]), int.MaxValue);
        SharedBytes = (int)Math.Min(limits.MaxComputeSharedMemorySize, int.MaxValue);
        MostThreads = (int)Math.Min(Math.Min(limits.MaxComputeWorkGroupInvocations, limits.MaxComputeWorkGroupSize[0]), int.MaxValue);
        MostTexelBytes = (long)limits.MaxTexelBufferElements * sizeof(uint);
        HasTexels = IsSoftware && limits.MinTexelBufferOffsetAlignment <= limits.MinStorageBufferOffsetAlignment;
        LacksLimits = limits.MaxPerStageDescriptorStorageBuffers < MostBindings || limits.MaxPushConstantsSize < MostPushBytes
            || limits.MaxComputeSharedMemorySize < LeastSharedBytes || MostThreads < Threads;
        HasMatrices = SubgroupSize == MatrixLanes && SharedBytes >= MatrixSharedBytes && Has(Encoding.UTF8.GetString(MatrixExtension[..^1])) && HasSixteens(api, device);
        HasRelay = HasSubgroupSums && CanRelay(api, device);
        Dots = HasSubgroupSums && SubgroupSize >= DotLanes && Has(Encoding.UTF8.GetString(DotExtension[..^1])) ? DotsOf(api, device) : DotSupport.None;
        (Family, int clockBits) = ComputeFamily(api, device);
        (_clockBits, _nanosecondsOfTick) = (clockBits, limits.TimestampPeriod);
    }

    /// <summary>Functions of the instance that it was found through.</summary>
    public Vk Api { get; }

    public PhysicalDevice Handle { get; }

    /// <summary>As its driver calls it.</summary>
    public string Name { get; }

    /// <summary>The driver's name and version.</summary>
    public string Driver { get; }

    /// <summary>The version of Vulkan it has, packed.</summary>
    public uint ApiVersion { get; }

    /// <summary>Bytes that are others for another device or driver, or another version of it.</summary>
    public byte[] Identity { get; }

    /// <summary>Its place among others, by its kind.</summary>
    public int Rank { get; }

    /// <summary>Whether it is the processor.</summary>
    public bool IsSoftware => Rank == 3;

    /// <summary>Threads of a subgroup, as it says; shaders take any.</summary>
    public int SubgroupSize { get; }

    /// <summary>Memory that the threads of a workgroup share at most, in bytes.</summary>
    public int SharedBytes { get; }

    /// <summary>Threads of a workgroup at most.</summary>
    public int MostThreads { get; }

    /// <summary>Whether subgroups add up by themselves.</summary>
    public bool HasSubgroupSums { get; }

    /// <summary>Whether subgroups multiply matrices of halves of 16 x 16, with sums in float32.</summary>
    public bool HasMatrices { get; }

    /// <summary>Whether workgroups can hand values on to each other: by numbers of 64 bits at once, and by addresses.</summary>
    public bool HasRelay { get; }

    /// <summary>How it multiplies signed bytes, in shaders that round activations to these within subgroups.</summary>
    public DotSupport Dots { get; }

    /// <summary>Whether it is quicker to read weights as texels: a processor brings these together, and values of storage buffers one by one.</summary>
    public bool HasTexels { get; }

    /// <summary>Bytes of a binding of texels at most.</summary>
    public long MostTexelBytes { get; }

    /// <summary>The extension that matrices come with, as the driver is told.</summary>
    public static ReadOnlySpan<byte> MatrixExtension => "VK_KHR_cooperative_matrix\0"u8;

    /// <summary>The extension that products of bytes come with.</summary>
    public static ReadOnlySpan<byte> DotExtension => "VK_KHR_shader_integer_dot_product\0"u8;

    /// <summary>Bytes that a binding covers at most.</summary>
    public long MostBoundBytes { get; }

    /// <summary>Bytes of an allocation at most.</summary>
    public long MostAllocatedBytes { get; }

    /// <summary>What bindings begin at multiples of.</summary>
    public int Alignment { get; }

    /// <summary>Workgroups in a direction at most.</summary>
    public int MostGroups { get; }

    /// <summary>Rows of a batch at most: shaders have a workgroup for each, in either direction.</summary>
    public int MostRows => Math.Min(MostGroups, ushort.MaxValue);

    /// <summary>The family of queues that runs compute shaders, of its own where there is such a one; null for none.</summary>
    public uint? Family { get; }

    /// <summary>Whether that family tells what its commands take.</summary>
    public bool HasClock => _clockBits > 0 && _nanosecondsOfTick > 0;

    private bool HasSmallStorage { get; }

    private bool LacksLimits { get; }

    /// <summary>Bytes of its largest heap of its own.</summary>
    public long MemoryBytes => LargestHeap is int heap ? (long)_memory.MemoryHeaps[heap].Size : 0;

    /// <summary>Whether its driver says what is free.</summary>
    public bool TellsFreeMemory => Has(ExtMemoryBudget);

    /// <summary>Bytes of that heap which are free now: as the driver says (memory_budget), else all but a share.</summary>
    public long FreeBytes
    {
        get
        {
            if (!TellsFreeMemory || LargestHeap is not int heap) return MemoryBytes - MemoryBytes / ReservedShare;
            var budget = new PhysicalDeviceMemoryBudgetPropertiesEXT { SType = StructureType.PhysicalDeviceMemoryBudgetPropertiesExt };
            var memory = new PhysicalDeviceMemoryProperties2 { SType = StructureType.PhysicalDeviceMemoryProperties2, PNext = &budget };
            Api.GetPhysicalDeviceMemoryProperties2(Handle, &memory);
            ulong all = budget.HeapBudget[heap], used = budget.HeapUsage[heap];
            return (long)Math.Min(all > used ? all - used : 0, (ulong)MemoryBytes);
        }
    }

    /// <summary>The time between two marks of its clock, which may have begun anew in between.</summary>
    public double Milliseconds(ulong from, ulong to) => ((to - from) & (ulong.MaxValue >> (64 - _clockBits))) * _nanosecondsOfTick / 1e6;

    /// <summary>Whether the driver has an extension.</summary>
    public bool Has(string extension) => _extensions.Contains(extension);

    /// <summary>What it lacks for these shaders, as a sentence that begins with what is missing; null for nothing.</summary>
    public string? Lacks => ApiVersion < Vk.MakeVersion(1, VulkanInstance.ApiMinor) ? $"{Name} has Vulkan {ApiVersion >> 22}.{ApiVersion >> 12 & 0x3ff}, and 1.{VulkanInstance.ApiMinor} or newer is needed"
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

    private static bool CanRelay(Vk api, PhysicalDevice device)
    {
        var addresses = new PhysicalDeviceBufferDeviceAddressFeatures { SType = StructureType.PhysicalDeviceBufferDeviceAddressFeatures };
        var features = new PhysicalDeviceFeatures2 { SType = StructureType.PhysicalDeviceFeatures2, PNext = &addresses };
        api.GetPhysicalDeviceFeatures2(device, &features);
        return addresses.BufferDeviceAddress;
    }

    private static DotSupport DotsOf(Vk api, PhysicalDevice device)
    {
        var dots = new PhysicalDeviceShaderIntegerDotProductFeatures { SType = StructureType.PhysicalDeviceShaderIntegerDotProductFeatures };
        var features = new PhysicalDeviceFeatures2 { SType = StructureType.PhysicalDeviceFeatures2, PNext = &dots };
        api.GetPhysicalDeviceFeatures2(device, &features);
        var speeds = new PhysicalDeviceShaderIntegerDotProductProperties { SType = StructureType.PhysicalDeviceShaderIntegerDotProductProperties };
        var properties = new PhysicalDeviceProperties2 { SType = StructureType.PhysicalDeviceProperties2, PNext = &speeds };
        api.GetPhysicalDeviceProperties2(device, &properties);
        return !dots.ShaderIntegerDotProduct ? DotSupport.None : speeds.IntegerDotProduct4x8BitPackedSignedAccelerated ? DotSupport.Accelerated : DotSupport.TakenApart;
    }

    private static bool HasSixteens(Vk api, PhysicalDevice device)
    {
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

    private int? LargestHeap
    {
        get
        {
            int? largest = null;
            for (int i = 0; i < _memory.MemoryHeapCount; i++)
                if (_memory.MemoryHeaps[i].Flags.HasFlag(MemoryHeapFlags.DeviceLocalBit) && (largest is not int best || _memory.MemoryHeaps[i].Size > _memory.MemoryHeaps[best].Size)) largest = i;
            return largest;
        }
    }

    private static byte[] IdentityOf(in PhysicalDeviceProperties properties, in PhysicalDeviceIDProperties ids)
    {
        byte[] identity = new byte[4 * sizeof(uint) + 2 * (int)Vk.UuidSize];
        ReadOnlySpan<uint> numbers = [properties.VendorID, properties.DeviceID, properties.DriverVersion, properties.ApiVersion];
        MemoryMarshal.AsBytes(numbers).CopyTo(identity);
        fixed (byte* cache = properties.PipelineCacheUuid, driver = ids.DriverUuid)
        {
            new ReadOnlySpan<byte>(cache, (int)Vk.UuidSize).CopyTo(identity.AsSpan(4 * sizeof(uint)));
            new ReadOnlySpan<byte>(driver, (int)Vk.UuidSize).CopyTo(identity.AsSpan(4 * sizeof(uint) + (int)Vk.UuidSize));
        }
        return identity;
    }

    private static HashSet<string> Extensions(Vk api, PhysicalDevice device)
    {
        uint count = 0;
        var names = new HashSet<string>();
        if (api.EnumerateDeviceExtensionProperties(device, (byte*)null, &count, null) != Result.Success) return names;
        var found = new ExtensionProperties[count];
        fixed (ExtensionProperties* to = found)
        {
            if (api.EnumerateDeviceExtensionProperties(device, (byte*)null, &count, to) is not (Result.Success or Result.Incomplete)) return names;
            for (int i = 0; i < count; i++) names.Add(Marshal.PtrToStringUTF8((nint)to[i].ExtensionName) ?? "");
        }
        return names;
    }

    /// <summary>The family, and the bits of its clock.</summary>
    private static (uint? Family, int ClockBits) ComputeFamily(Vk api, PhysicalDevice device)
    {
        uint count = 0;
        api.GetPhysicalDeviceQueueFamilyProperties(device, &count, null);
        var families = new QueueFamilyProperties[count];
        fixed (QueueFamilyProperties* to = families) api.GetPhysicalDeviceQueueFamilyProperties(device, &count, to);
        (uint? Family, int ClockBits) any = default;
        for (uint i = 0; i < count; i++)
        {
            QueueFlags flags = families[i].QueueFlags;
            if (!flags.HasFlag(QueueFlags.ComputeBit)) continue;
            var found = (i, (int)families[i].TimestampValidBits);
            if (!flags.HasFlag(QueueFlags.GraphicsBit)) return found;
            if (any.Family is null) any = found;
        }
        return any;
    }
}
