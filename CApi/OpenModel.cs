using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;

namespace MambaRT.CApi;

/// <summary>A model, the backend it runs on, and who is inside. A second thread is refused; closing is for any thread.</summary>
internal sealed class OpenModel
{
    private readonly IBackend _backend;
    private int _inside;

    private OpenModel(Model model, IBackend backend) => (Model, _backend) = (model, backend);

    /// <summary>The model.</summary>
    public Model Model { get; }

    /// <summary>Opens what <paramref name="open"/> opens, on a backend by its name.</summary>
    /// <param name="open">Given what chooses the backend, opens the model.</param>
    /// <param name="backend">Its name; null for what suits the model.</param>
    /// <param name="threads">Of the cpu backend; 0 for its own choice.</param>
    /// <param name="gpuLayers">Layers of the GPU; -1 for all.</param>
    public static OpenModel Open(Func<Func<Plans.Plan, IWeightSource, IBackend>, Model> open, string? backend, int threads, int gpuLayers)
    {
        if (threads < 0) throw new StatusException(Status.Argument, $"'threads' is {threads}; 0 (as many as there are cores) or more are needed.");
        if (gpuLayers < -1) throw new StatusException(Status.Argument, $"'gpu_layers' is {gpuLayers}; -1 (all) or more are needed.");
        CpuOptions? cpu = threads > 0 ? new CpuOptions { Threads = threads } : null;
        IBackend? made = null;
        try
        {
            Model model = open((plan, weights) => made = Choose(plan, weights, backend, gpuLayers, cpu));
            return new OpenModel(model, made ?? throw new InvalidOperationException("A model was opened on no backend."));
        }
        catch
        {
            made?.Dispose();
            throw;
        }
    }

    private static IBackend Choose(Plans.Plan plan, IWeightSource weights, string? name, int gpuLayers, CpuOptions? cpu)
    {
        bool auto = name is null or "auto";
        string? gpu = auto ? BackendSelector.FirstGpu : BackendSelector.IsGpu(name!) ? name : null;   // not null where it is not auto
        return gpuLayers >= 0 && gpu is not null ? BackendSelector.CreateSplit(gpu, gpuLayers, plan, cpu)
            : auto ? BackendSelector.Choose(plan, weights, cpu, out _) : BackendSelector.Create(name!, cpu);
    }

    /// <summary>Keeps others out until it is disposed.</summary>
    /// <exception cref="StatusException">Another call is inside.</exception>
    public Use Enter() => TryEnter() ? new Use(this)
        : throw new StatusException(Status.State, "Another call is inside this model; one thread at a time uses a model with what was made from it.");

    /// <summary>Keeps others out where none is inside; a <see cref="Use"/> lets them in again.</summary>
    public bool TryEnter() => Interlocked.CompareExchange(ref _inside, 1, 0) == 0;

    /// <summary>Ends what runs, waits for it, and gives back all memory.</summary>
    public void Close()
    {
        Model.Dispose();
        _backend.Dispose();
    }

    /// <summary>Lets others in.</summary>
    internal readonly ref struct Use(OpenModel model)
    {
        public void Dispose() => Volatile.Write(ref model._inside, 0);
    }
}
