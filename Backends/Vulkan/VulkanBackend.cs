using System.Numerics;
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
    private readonly bool _plain, _exact;

    /// <summary>Opens a device.</summary>
    /// <param name="device">Its number, from 0.</param>
    /// <param name="plain">Whether every capability that not all devices have is left unused.</param>
    /// <param name="cacheFolder">Where what the driver makes of shaders is kept for the next time; null for nowhere. What cannot be kept there is made anew.</param>
    /// <param name="exact">
    /// Whether activations stay as exact as float32 throughout; else they are rounded to 16 bits in products of many rows where the device multiplies matrices, and to 8 bits beside quantized weights
    /// in products of few rows where it multiplies bytes faster than floats.
    /// </param>
    /// <exception cref="NotSupportedException">There is no loader, driver or such device, or it lacks what is needed.</exception>
    public VulkanBackend(int device = 0, bool plain = false, string? cacheFolder = null, bool exact = false)
        : this(VulkanLoader.Instance, device, plain ? VulkanSettings.Plain : new VulkanSettings { Exact = exact }, cacheFolder)
    {
    }

    /// <summary>Opens a device of an instance, of which some may be left unused.</summary>
    internal VulkanBackend(VulkanInstance instance, int device, VulkanSettings settings, string? cacheFolder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(device);
        if (instance.WhyNotDevice(device) is string why) throw new NotSupportedException($"Vulkan: {why}; choose --backend {(instance.IsBeyond(device) ? "vulkan:0, or " : "")}cpu.");
        (_number, _plain, _exact) = (device, settings == VulkanSettings.Plain, settings.Exact);
        _device = new VulkanDevice(instance.Devices[device], settings);
        try
        {
            _pipelines = new PipelineLibrary(_device, settings.PipelineCache ? cacheFolder : null);
        }
        catch
        {
            _device.Dispose();
            throw;
        }
    }

    /// <summary>Devices there are, usable or not.</summary>
    public static int DeviceCount => VulkanLoader.Instance.Devices.Count;

    /// <summary>Why a device cannot be used, as a sentence that begins with what is missing; null when it can. Takes nothing of it.</summary>
    /// <param name="device">Its number, from 0.</param>
    public static string? WhyNot(int device) => VulkanLoader.Instance.WhyNotDevice(device);

    /// <summary>Whether a device is the processor, which the cpu backend uses better; false where there is none.</summary>
    /// <param name="device">Its number, from 0.</param>
    public static bool IsSoftware(int device) => device < DeviceCount && VulkanLoader.Instance.Devices[device].IsSoftware;

    /// <inheritdoc/>
    public string Name => $"vulkan{(_number == 0 ? "" : $":{_number}")}{(_plain ? ":plain" : _exact ? ":exact" : "")}";

    /// <inheritdoc/>
    public string Description
    {
        get
        {
            DeviceTraits traits = _device.Traits;
            return $"{traits.Name}, {traits.MemoryBytes >> 20:n0} MiB{(traits.TellsFreeMemory ? $" ({traits.FreeBytes >> 20:n0} free)" : "")}, Vulkan {traits.ApiVersion >> 22}.{traits.ApiVersion >> 12 & 0x3ff}, {traits.Driver}"
                + (_device.UsesSubgroups ? $", sums in subgroups of {traits.SubgroupSize}" : ", sums in shared memory") + (_device.Matrices == MatrixUse.None ? "" : ", cooperative matrices")
                + (_device.UsesDots ? ", integer dot products" : "")
                + (_device.RelayGroups == 0 ? "" : ", steps in one dispatch where quicker") + (_device.Memory.IsMapped ? ", memory that the host writes" : "") + (traits.IsSoftware ? ", software" : "");
        }
    }

    /// <inheritdoc/>
    public DeviceDescription Device => new(_device.Traits.Name, _device.Traits.MemoryBytes, SharesHostMemory: false, Chunk, 1 << BitOperations.Log2((uint)_device.Traits.MostRows));   // buckets are powers of two

    /// <summary>Whether the device can say what its kernels take.</summary>
    public bool HasClock => _device.Traits.HasClock;

    /// <summary>Where the time of its kernels is noted while it is set, which slows runs down; null for nowhere.</summary>
    /// <remarks>Of a step in one dispatch that is one kernel; what it takes by several, in states that nobody has, is noted beside it.</remarks>
    /// <exception cref="NotSupportedException">The device cannot say.</exception>
    public KernelProfile? Profile
    {
        get => _device.Profile;
        set => _device.Profile = value is null || HasClock ? value : throw new NotSupportedException($"{_device.Traits.Name} has no clock on the queue that is used (timestampValidBits is 0); leave its kernels untimed.");
    }

    /// <inheritdoc/>
    public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null) =>
        PlanLimits.WhyNot(plan, weights) ?? MemoryNeed.WhyNot(plan, weights, Math.Min(chunkTokens ?? Chunk, Device.MostTokens), _device);

    /// <summary>Whether products of many rows are of cooperative matrices.</summary>
    internal bool MultipliesByMatrices => _device.Matrices != MatrixUse.None;

    /// <summary>Whether products of few rows round activations to 8 bits beside quantized weights.</summary>
    internal bool RoundsActivations => _device.UsesDots;

    private int Chunk => _device.Matrices == MatrixUse.None ? ChunkTokens : ChunkOfMatrices;

    /// <inheritdoc/>
    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options) => MemoryNeed.Use(plan, weights, Math.Max(options.ChunkTokens, 1), _device, options.Slots);

    /// <inheritdoc/>
    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        if (WhyNot(plan, weights, Math.Max(options.ChunkTokens, 1)) is string why) throw new NotSupportedException(why);
        return new VulkanModel(plan, weights, options, _device, _pipelines, cancel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pipelines.Dispose();
        _device.Dispose();
    }
}
