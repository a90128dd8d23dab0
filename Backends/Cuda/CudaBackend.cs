using MambaRT.Formats;

namespace MambaRT.Backends.Cuda;

/// <summary>One NVIDIA GPU, by PTX that the driver compiles: nothing else needs to be installed.</summary>
/// <remarks>Several models may share a backend. A model and its executables are used by one thread at a time.</remarks>
public sealed class CudaBackend : IBackend
{
    /// <summary>Enough rows to fill the tiles of every multiprocessor.</summary>
    private const int ChunkTokens = 2048;

    /// <summary>More, where the values of their rows take little: fewer rounds of tiles are half empty, and a chunk takes no longer than one of a large model.</summary>
    private const int MostChunkTokens = 8192, MostChunkBytes = 320 << 20, ShareOfMemory = 200;

    /// <summary>Buckets are powers of two, and a grid has at most 65,535 blocks in its second direction.</summary>
    private const int MostTokens = 1 << 15;

    private readonly CudaContext _context;
    private readonly KernelLibrary _kernels;
    private readonly int _device, _most;
    private readonly bool _exact;

    /// <summary>Opens a device.</summary>
    /// <param name="device">Its number, from 0.</param>
    /// <param name="most">The newest compute capability whose kernels may be used: 80 leaves out those of 9.0.</param>
    /// <param name="exact">Whether activations stay float32 beside float weights also in products of many rows; else they are rounded to the weights' own 16 bits there.</param>
    /// <exception cref="NotSupportedException">There is no driver, no such device, or it is too old.</exception>
    public CudaBackend(int device = 0, int most = int.MaxValue, bool exact = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(device);
        if (WhyNot(device) is string why) throw new NotSupportedException($"CUDA: {why}; choose --backend {(IsBeyond(device) ? "cuda:0, or " : "")}cpu.");
        (_device, _most, _exact) = (device, most, exact);
        _context = new CudaContext(device);
        _kernels = new KernelLibrary(_context, most);
    }

    /// <summary>Why a device cannot be used, as a sentence that begins with what is missing; null when it can. Takes nothing of it.</summary>
    /// <param name="device">Its number, from 0.</param>
    public static string? WhyNot(int device)
    {
        if (CudaDriver.WhyNot is string why) return why;
        if (IsBeyond(device)) return $"there is no device {device}, only cuda:0{(CudaDriver.DeviceCount == 1 ? "" : $" to cuda:{CudaDriver.DeviceCount - 1}")}";
        try
        {
            int capability = CudaContext.CapabilityOf(device);
            return capability >= KernelLibrary.Least ? null
                : $"device {device} has compute capability {Dotted(capability)}, and {Dotted(KernelLibrary.Least)} (Turing) or newer is needed";
        }
        catch (CudaException e)
        {
            return $"device {device} cannot be used: {e.Message}";
        }
    }

    /// <inheritdoc/>
    public string Name => $"cuda{(_device == 0 ? "" : $":{_device}")}{(_exact ? ":exact" : _most == 80 ? ":sm80" : "")}";

    /// <inheritdoc/>
    public string Description => $"{_context.DeviceName}, compute {Dotted(_context.Capability)}, {_context.MultiProcessors} multiprocessors, {_context.TotalBytes >> 20:n0} MiB";

    /// <inheritdoc/>
    public DeviceDescription Device => new(_context.DeviceName, _context.TotalBytes, SharesHostMemory: false, ChunkTokens, MostTokens);

    /// <inheritdoc/>
    public int ChunkTokensFor(Plan plan)
    {
        int tokens = ChunkTokens;
        while (tokens < MostChunkTokens && ArenaMemory.BytesOf(plan, 2 * tokens) <= Math.Min(MostChunkBytes, _context.TotalBytes / ShareOfMemory)) tokens *= 2;
        return tokens;
    }

    /// <summary>Where the time of its kernels is noted while it is set, which slows runs down; null for nowhere.</summary>
    public KernelProfile? Profile
    {
        get => _context.Profile;
        set => _context.Profile = value;
    }

    /// <summary>Measures what the device can do at best; takes a gibibyte of its memory for a moment.</summary>
    /// <exception cref="CudaException">There is no such memory, or the device failed.</exception>
    public CudaPeaks MeasurePeaks()
    {
        _context.MakeCurrent();
        using var probe = new PeakProbe(_kernels);
        return probe.Measure();
    }

    /// <inheritdoc/>
    public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null) =>
        PlanKernels.WhyNot(plan) ?? new MemoryNeed(plan, weights, Math.Min(chunkTokens ?? ChunkTokensFor(plan), MostTokens), _kernels.Capability >= 80, _exact).WhyNot(_context.FreeBytes);

    /// <inheritdoc/>
    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options) =>
        new MemoryNeed(plan, weights, options.ChunkTokens, _kernels.Capability >= 80, _exact).Use(options.Slots);

    /// <inheritdoc/>
    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        if (PlanKernels.WhyNot(plan) is string why) throw new NotSupportedException(why);
        _context.MakeCurrent();
        return new CudaModel(plan, weights, options, _context, _kernels, _exact, cancel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _context.TryMakeCurrent();
        _kernels.Dispose();
        _context.Dispose();
    }

    private static bool IsBeyond(int device) => CudaDriver.IsAvailable && device >= CudaDriver.DeviceCount;

    private static string Dotted(int capability) => $"{capability / 10}.{capability % 10}";
}
