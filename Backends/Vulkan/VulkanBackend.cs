using MambaRT.Formats;

namespace MambaRT.Backends.Vulkan;

/// <summary>One device by Vulkan: a GPU of any maker, or the processor through a software driver.</summary>
/// <remarks>Several models may share a backend. A model and its executables are used by one thread at a time.</remarks>
public sealed class VulkanBackend : IBackend
{
    /// <summary>Tokens that prompts are fed in: as many as keep products by matrices busy.</summary>
    private const int ChunkTokens = 256, ChunkOfMatrices = 2048;

    private readonly VulkanDevice _device;
    private readonly PipelineLibrary _pipelines;
    private readonly int _number;
    private readonly bool _plain;

    /// <summary>Opens a device.</summary>
    /// <param name="device">Its number, from 0.</param>
    /// <param name="plain">Whether every capability that not all devices have is left unused.</param>
    /// <exception cref="NotSupportedException">There is no loader, driver or such device, or it lacks what is needed.</exception>
    public VulkanBackend(int device = 0, bool plain = false) : this(device, plain, long.MaxValue, emulatesMatrices: false)
    {
    }

    /// <summary>Opens a device as one that binds less at a time than it does, or has cooperative matrices.</summary>
    internal VulkanBackend(int device, bool plain, long mostWeightBytes, bool emulatesMatrices)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(device);
        if (WhyNot(device) is string why) throw new NotSupportedException($"Vulkan: {why}; choose --backend cpu.");
        (_number, _plain) = (device, plain);
        _device = new VulkanDevice(VulkanLoader.Devices[device], plain, mostWeightBytes, emulatesMatrices);
        try
        {
            _pipelines = new PipelineLibrary(_device);
        }
        catch
        {
            _device.Dispose();
            throw;
        }
    }

    /// <summary>Devices there are, usable or not.</summary>
    public static int DeviceCount => VulkanLoader.Devices.Count;

    /// <summary>Why a device cannot be used, as a sentence that begins with what is missing; null when it can. Takes nothing of it.</summary>
    /// <param name="device">Its number, from 0.</param>
    public static string? WhyNot(int device) => VulkanLoader.WhyNot
        ?? (device >= DeviceCount ? $"there is no device {device}; the drivers have {DeviceCount}, numbered from 0" : VulkanLoader.Devices[device].Lacks);

    /// <summary>Whether a device is the processor, which the cpu backend uses better; false where there is none.</summary>
    /// <param name="device">Its number, from 0.</param>
    public static bool IsSoftware(int device) => device < DeviceCount && VulkanLoader.Devices[device].IsSoftware;

    /// <inheritdoc/>
    public string Name => (_plain, _number) switch { (true, 0) => "vulkan:plain", (false, 0) => "vulkan", _ => $"vulkan:{_number}" };

    /// <inheritdoc/>
    public string Description
    {
        get
        {
            DeviceTraits traits = _device.Traits;
            return $"{traits.Name}, {traits.MemoryBytes >> 20:n0} MiB, Vulkan {traits.ApiVersion >> 22}.{traits.ApiVersion >> 12 & 0x3ff}, {traits.Driver}, subgroups of {traits.SubgroupSize}"
                + (_device.UsesSubgroups ? "" : ", sums in shared memory") + (_device.Matrices == MatrixUse.None ? "" : ", cooperative matrices") + (traits.IsSoftware ? ", software" : "");
        }
    }

    /// <inheritdoc/>
    public DeviceDescription Device => new(_device.Traits.Name, _device.Traits.MemoryBytes, SharesHostMemory: false, Chunk);

    /// <inheritdoc/>
    public string? WhyNot(Plan plan, IWeightSource weights) => PlanLimits.WhyNot(plan, weights) ?? MemoryNeed.WhyNot(plan, weights, Chunk, _device.Traits, _device.Matrices);

    private int Chunk => _device.Matrices == MatrixUse.None ? ChunkTokens : ChunkOfMatrices;

    /// <inheritdoc/>
    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options) => MemoryNeed.Use(plan, weights, Math.Max(options.ChunkTokens, 1), _device.Matrices, options.Slots);

    /// <inheritdoc/>
    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        if (WhyNot(plan, weights) is string why) throw new NotSupportedException(why);
        return new VulkanModel(plan, weights, options, _device, _pipelines, cancel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pipelines.Dispose();
        _device.Dispose();
    }
}
