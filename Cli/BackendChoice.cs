using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Vulkan;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>What -backend, -ngl and the options of the CPU mean for a model, decided when its network is known. Owns the backend.</summary>
/// <param name="name">What --backend says; null for nothing.</param>
/// <param name="gpuLayers">What -ngl says; null for nothing.</param>
/// <param name="cpu">What a CPU backend is made with.</param>
internal sealed class BackendChoice(string? name, int? gpuLayers, CpuOptions cpu) : IDisposable
{
    private IBackend? _backend;

    /// <summary>What was made.</summary>
    public IBackend Backend => _backend ?? throw new InvalidOperationException("No backend was made yet.");

    /// <summary>What to say of the choice; null for nothing.</summary>
    public string? Note { get; private set; }

    /// <summary>Makes the backend, which serves every model that is opened after the first.</summary>
    public IBackend Make(Plan plan, IWeightSource weights) => _backend ??= gpuLayers is int layers ? Split(plan, weights, layers) : Whole(plan, weights);

    /// <summary>Goes to the CPU where a GPU that nobody asked for did not take the model after all; false where that is no way out.</summary>
    /// <param name="failure">What its driver said.</param>
    public bool TryCpu(Exception failure)
    {
        if (!IsAuto || gpuLayers is not null || _backend is null or CpuBackend || failure is not (CudaException or VulkanException)) return false;
        _backend.Dispose();
        _backend = BackendSelector.Create(BackendSelector.Names[0], cpu);
        Note = $"On {_backend.Name}, as the GPU was not taken: {failure.Message}";
        return true;
    }

    /// <summary>Refuses a backend that this machine cannot run, as making it does, and makes none that it can.</summary>
    public static void Require(string name)
    {
        if (BackendSelector.WhyNot(name) is not null) BackendSelector.Create(name).Dispose();   // which says why
    }

    public void Dispose() => _backend?.Dispose();

    private bool IsAuto => name is null or "auto";

    private IBackend Whole(Plan plan, IWeightSource weights)
    {
        if (!IsAuto) return BackendSelector.Create(name!, cpu, CacheFolder.Path);   // not null where it is not auto
        IBackend chosen = BackendSelector.Choose(plan, weights, cpu, out string? whyNot, CacheFolder.Path);
        if (whyNot is not null) Note = $"On {chosen.Name}, as the GPU was not taken: {whyNot}";
        return chosen;
    }

    private IBackend Split(Plan plan, IWeightSource weights, int layers)
    {
        string? gpu = IsAuto ? BackendSelector.FirstGpu : BackendSelector.IsGpu(name!) ? name : null;
        if (gpu is null)
        {
            IBackend whole = Whole(plan, weights);
            Note = IsAuto ? $"-ngl changes nothing, as {BackendSelector.WhySoftwareIsLeft ?? "there is no GPU to use"}: the model runs on {whole.Name}." : $"-ngl changes nothing: {name} is no GPU.";
            return whole;
        }
        int there = Math.Min(layers, plan.Layers.Length);
        if (there == 0 && !IsAuto)
        {
            Require(gpu);
            Note = $"No layer runs on {gpu}: the model runs on cpu.";
        }
        if (there > 0 && there < plan.Layers.Length) Note = $"The last {(there == 1 ? "" : $"{there} ")}of {plan.Layers.Length} layers {(there == 1 ? "runs" : "run")} on {gpu}, those before on cpu.";
        return BackendSelector.CreateSplit(gpu, there, plan, cpu, CacheFolder.Path);
    }
}
