using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>A device opened for compute: the owner of its handle and of the queue that all models on it share.</summary>
internal sealed unsafe class VulkanDevice : IDisposable
{
    /// <summary>Workgroups of a step in one dispatch: as many as a large device has multiprocessors.</summary>
    private const int MostRelayGroups = 128;

    private readonly Queue _queue;
    private readonly Lock _submitting = new();

    /// <param name="traits">What to open.</param>
    /// <param name="settings">What of it is used.</param>
    public VulkanDevice(DeviceTraits traits, VulkanSettings settings)
    {
        (Api, Traits, MostWeightBytes, MostWork) = (traits.Api, traits, Math.Min(traits.MostBoundBytes, settings.MostWeightBytes), settings.MostWork);
        (UsesSubgroups, MapsItsMemory) = (settings.Subgroups && traits.HasSubgroupSums, settings.MappedMemory);
        Matrices = settings.EmulatedMatrices ? MatrixUse.Emulated : settings.Matrices && traits.HasMatrices ? MatrixUse.Cooperative : MatrixUse.None;
        (IsExact, Multiprocessors, NarrowRows) = (settings.Exact, settings.Multiprocessors, settings.NarrowRows && UsesSubgroups);
        HasShortShaders = traits.IsSoftware && !settings.LongShaders;
        UsesDots = settings.IntegerDot && !IsExact && UsesSubgroups && traits.Dots >= (settings.SlowIntegerDot ? DotSupport.TakenApart : DotSupport.Accelerated);
        UsesTexels = settings.Texels && UsesSubgroups && !UsesDots && traits.HasTexels;
        if (UsesTexels) MostWeightBytes = Math.Min(MostWeightBytes, traits.MostTexelBytes);
        if (Matrices == MatrixUse.Cooperative) MostWork *= Workload.QuickerByMatrices;
        RelayGroups = !settings.Relay || !UsesSubgroups || !traits.HasRelay ? 0 : settings.RelayGroups > 0 ? settings.RelayGroups : traits.IsSoftware ? 0 : MostRelayGroups;
        (MayChooseRelay, HasRelayOfFew) = (settings.RelayGroups == 0, settings.RelayFew);
        Memory = new MemoryBlocks(this);
        uint family = traits.Family ?? throw new NotSupportedException($"Vulkan: {traits.Lacks}.");
        float priority = 1;
        var queue = new DeviceQueueCreateInfo { SType = StructureType.DeviceQueueCreateInfo, QueueFamilyIndex = family, QueueCount = 1, PQueuePriorities = &priority };
        var storage8 = new PhysicalDevice8BitStorageFeatures { SType = StructureType.PhysicalDevice8BitStorageFeatures, StorageBuffer8BitAccess = true };
        var storage16 = new PhysicalDevice16BitStorageFeatures { SType = StructureType.PhysicalDevice16BitStorageFeatures, PNext = &storage8, StorageBuffer16BitAccess = true };
        // What shaders of cooperative matrices declare beside these, those that multiply bytes, and those whose workgroups hand values on.
        bool multiplies = Matrices == MatrixUse.Cooperative, relays = RelayGroups > 0;
        var halves = new PhysicalDeviceShaderFloat16Int8Features { SType = StructureType.PhysicalDeviceShaderFloat16Int8Features, PNext = &storage16, ShaderFloat16 = true };
        var model = new PhysicalDeviceVulkanMemoryModelFeatures { SType = StructureType.PhysicalDeviceVulkanMemoryModelFeatures, PNext = &halves, VulkanMemoryModel = true };
        var matrices = new PhysicalDeviceCooperativeMatrixFeaturesKHR { SType = StructureType.PhysicalDeviceCooperativeMatrixFeaturesKhr, PNext = &model, CooperativeMatrix = true };
        void* chain = multiplies ? &matrices : &storage16;
        var dots = new PhysicalDeviceShaderIntegerDotProductFeatures { SType = StructureType.PhysicalDeviceShaderIntegerDotProductFeatures, PNext = chain, ShaderIntegerDotProduct = true };
        if (UsesDots) chain = &dots;
        var addresses = new PhysicalDeviceBufferDeviceAddressFeatures { SType = StructureType.PhysicalDeviceBufferDeviceAddressFeatures, PNext = chain, BufferDeviceAddress = true };
        var features = new PhysicalDeviceFeatures2 { SType = StructureType.PhysicalDeviceFeatures2, PNext = relays ? &addresses : chain };
        byte** extensions = stackalloc byte*[2];
        uint count = 0;
        Device device;
        fixed (byte* ofMatrices = DeviceTraits.MatrixExtension, ofDots = DeviceTraits.DotExtension)
        {
            if (multiplies) extensions[count++] = ofMatrices;
            if (UsesDots) extensions[count++] = ofDots;
            var create = new DeviceCreateInfo
            {
                SType = StructureType.DeviceCreateInfo,
                PNext = &features,
                QueueCreateInfoCount = 1,
                PQueueCreateInfos = &queue,
                EnabledExtensionCount = count,
                PpEnabledExtensionNames = extensions,
            };
            VulkanException.Check(Api.CreateDevice(traits.Handle, &create, null, &device), "vkCreateDevice", traits.Name);
        }
        Handle = device;
        Queue first;
        Api.GetDeviceQueue(device, family, 0, &first);
        _queue = first;
    }

    public Vk Api { get; }

    public Device Handle { get; private set; }

    public DeviceTraits Traits { get; }

    /// <summary>Bytes of a weight that a shader is given at a time at most.</summary>
    public long MostWeightBytes { get; }

    /// <summary>Work that is submitted at a time at most, see <see cref="Workload"/>.</summary>
    public long MostWork { get; }

    /// <summary>Where buffers get their memory.</summary>
    public MemoryBlocks Memory { get; }

    /// <summary>Whether the host writes into its memory where it sees all of that.</summary>
    public bool MapsItsMemory { get; }

    /// <summary>Whether shaders add up within subgroups.</summary>
    public bool UsesSubgroups { get; }

    /// <summary>Whether products of few rows round activations to bytes beside quantized weights.</summary>
    public bool UsesDots { get; }

    /// <summary>Multiprocessors that products are shared out for.</summary>
    public int Multiprocessors { get; }

    /// <summary>Whether subgroups of any size may have whole rows of a product.</summary>
    public bool NarrowRows { get; }

    /// <summary>Whether steps in one dispatch have the shader for few rows, whatever the model.</summary>
    public bool HasRelayOfFew { get; }

    /// <summary>Whether shaders are unrolled little, so that they are soon made.</summary>
    public bool HasShortShaders { get; }

    /// <summary>Whether products of few rows read their weights as texels.</summary>
    public bool UsesTexels { get; }

    /// <summary>Workgroups of a step in one dispatch; 0 where there is no such step.</summary>
    public int RelayGroups { get; }

    /// <summary>Whether such a step is left where several dispatches are quicker.</summary>
    public bool MayChooseRelay { get; }

    /// <summary>How products of many rows go.</summary>
    public MatrixUse Matrices { get; }

    /// <summary>Whether activations keep the precision of float32 in these.</summary>
    public bool IsExact { get; }

    /// <summary>Where the time of dispatches is noted while it is set; null for nowhere.</summary>
    public KernelProfile? Profile { get; set; }

    /// <summary>Puts recorded work on the queue.</summary>
    /// <param name="commands">What to run.</param>
    /// <param name="done">Signalled when it is over.</param>
    /// <param name="what">What it is for.</param>
    public void Submit(CommandBuffer commands, Fence done, string what)
    {
        var submit = new SubmitInfo { SType = StructureType.SubmitInfo, CommandBufferCount = 1, PCommandBuffers = &commands };
        Result result;
        lock (_submitting) result = Api.QueueSubmit(_queue, 1, &submit, done);
        VulkanException.Check(result, "vkQueueSubmit", what);
    }

    /// <summary>Where shaders see a part of a buffer, where <see cref="RelayGroups"/> says that they ask.</summary>
    public ulong AddressOf(BufferSlice part)
    {
        var buffer = new BufferDeviceAddressInfo { SType = StructureType.BufferDeviceAddressInfo, Buffer = part.Handle };
        return Api.GetBufferDeviceAddress(Handle, &buffer) + (ulong)part.Offset;
    }

    /// <summary>Waits until nothing is under way, whatever the driver says to that.</summary>
    public void Settle()
    {
        lock (_submitting) Api.DeviceWaitIdle(Handle);
    }

    public void Dispose()
    {
        if (Handle.Handle == 0) return;
        Api.DestroyDevice(Handle, null);
        Handle = default;
    }
}
