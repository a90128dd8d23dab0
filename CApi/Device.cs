using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;

namespace MambaRT.CApi;

/// <summary>The backend that options ask for, made when the network is known; and the threads of the program's that it may run on.</summary>
internal sealed class Device : IDisposable
{
    private readonly string? _name, _pipelines;
    private readonly int _gpuLayers;
    private readonly int? _chunkTokens;
    private readonly bool _hasMemory;
    private readonly CpuOptions? _cpu;
    private readonly LentThreads? _threads;
    private IBackend? _backend;

    /// <summary>Checks what concerns the device; makes nothing yet.</summary>
    /// <exception cref="StatusException">An option is out of range.</exception>
    public unsafe Device(in ModelOptionsLayout options)
    {
        if (options.Threads < 0) throw new StatusException(Status.Argument, $"'threads' is {options.Threads}; 0 (as many as there are cores) or more are needed.");
        if (options.GpuLayers < -1) throw new StatusException(Status.Argument, $"'gpu_layers' is {options.GpuLayers}; -1 (all) or more are needed.");
        _name = Arguments.TextOrNull(options.Backend);
        _pipelines = Arguments.FolderOrNull(options.PipelineFolder, "pipeline_folder");
        _gpuLayers = options.GpuLayers;
        _chunkTokens = options.ChunkTokens > 0 ? options.ChunkTokens : null;
        _hasMemory = options.MemoryLimit > 0 || options.Allocate != null;
        _threads = options.ParallelFor != null ? new LentThreads(options) : null;
        if (options.Threads > 0 || _threads is not null) _cpu = new CpuOptions { Threads = options.Threads, ParallelFor = _threads is null ? null : _threads.Run };
    }

    /// <summary>Makes the backend for a network. A limit of memory, or an allocator, decides for the processor where none is named.</summary>
    public IBackend Choose(Plans.Plan plan, IWeightSource weights) => _backend = Make(plan, weights);

    /// <summary>Closes the backend; no thread of the program's is asked for anything any more.</summary>
    public void Dispose()
    {
        _backend?.Dispose();
        _threads?.Dispose();
    }

    private IBackend Make(Plans.Plan plan, IWeightSource weights)
    {
        if (_name is not (null or "auto"))
            return _gpuLayers >= 0 && BackendSelector.IsGpu(_name) ? BackendSelector.CreateSplit(_name, _gpuLayers, plan, _cpu, _pipelines) : BackendSelector.Create(_name, _cpu, _pipelines);
        if (_hasMemory) return BackendSelector.Create("cpu", _cpu);
        return _gpuLayers >= 0 && BackendSelector.FirstGpu is { } gpu ? BackendSelector.CreateSplit(gpu, _gpuLayers, plan, _cpu, _pipelines) : BackendSelector.Choose(plan, weights, _cpu, out _, _pipelines, _chunkTokens);
    }
}
