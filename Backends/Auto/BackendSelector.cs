using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Reference;
using MambaRT.Backends.Vulkan;
using MambaRT.Formats;

namespace MambaRT.Backends.Auto;

/// <summary>Makes backends by the names that users type.</summary>
public static class BackendSelector
{
    private const string Auto = "auto";

    /// <summary>The names there are; "auto" stands for the first, or where a model is given for what <see cref="Choose"/> takes.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. BackendName.AllKinds];

    /// <summary>
    /// The same backends held to fewer instructions, to compare with (no AVX-512 code, and no VNNI either; no activations of 16 bits, by CUDA or by Vulkan, nor of 8 by the latter; no kernels of compute
    /// capability 9.0; nothing that not every Vulkan device has), and the second GPU. The two go together, number first, and any number may stand there: "cuda:2:exact".
    /// </summary>
    public static IReadOnlyList<string> Variants { get; } = [.. BackendName.Examples];

    /// <summary>A name in its one spelling, such as "cuda" for "CUDA:0"; null where there is no such backend, whatever devices this machine has.</summary>
    /// <param name="name">Anything.</param>
    public static string? Spell(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return IsAuto(name) ? Auto : BackendName.Read(name)?.ToString();
    }

    /// <summary>The names, as a list for those who asked for something else.</summary>
    public static string Choices => $"{string.Join(", ", [.. Names, .. Variants])}, or both with the number first, as in cuda:1:exact";

    /// <summary>The names of all devices of a kind, such as "vulkan" and "vulkan:1"; the name alone for what has no more than one.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static IEnumerable<string> DevicesOf(string name) => Enumerable.Range(0, Math.Max(CountOf(name), 1)).Select(i => new BackendName(name, i, "").ToString());

    /// <summary>Why this machine cannot run the backend of this name, as a sentence that begins with what is missing; null when it can. A GPU is asked for only by its own names.</summary>
    public static string? WhyNot(string name) => Read(name) switch
    {
        { Kind: BackendName.Cuda, Device: int device } => CudaBackend.WhyNot(device),
        { Kind: BackendName.Vulkan, Device: int device } => VulkanBackend.WhyNot(device),
        BackendName other => CpuBackend.WhyNot(IsaOf(other)),
    };

    /// <summary>Whether a backend can show what single ops yield.</summary>
    public static bool ShowsOps(string name) => !IsCuda(name);

    /// <summary>
    /// Makes what "auto" stands for with a model: the first CUDA device that holds it, else the first by Vulkan that is no software and does, else the CPU.
    /// The caller disposes it.
    /// </summary>
    /// <param name="plan">The network.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="cpu">What a CPU backend is made with. Given cores decide for the CPU.</param>
    /// <param name="whyNot">Why a device that there is was not taken, as a sentence; null where one was, or there is none.</param>
    /// <param name="cacheFolder">Where a GPU keeps what its driver makes of shaders; null for nowhere.</param>
    /// <param name="chunkTokens">Tokens that prompts will be fed in (<see cref="ModelOptions.ChunkTokens"/>), as a model may fit with few that does not with many; null for as many as each device runs best.</param>
    public static IBackend Choose(Plan plan, IWeightSource weights, CpuOptions? cpu, out string? whyNot, string? cacheFolder = null, int? chunkTokens = null)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(weights);
        whyNot = null;
        foreach (string gpu in cpu?.Cores is null ? Gpus : [])
        {
            IBackend? backend = null;
            try
            {
                backend = Create(gpu, null, cacheFolder);
                if (backend.WhyNot(plan, weights, chunkTokens) is not string why)
                {
                    whyNot = null;
                    return backend;
                }
                whyNot ??= why;
            }
            catch (Exception e) when (e is NotSupportedException or CudaException or VulkanException)
            {
                whyNot ??= e.Message;
            }
            backend?.Dispose();
        }
        return Create(Names[0], cpu);
    }

    /// <summary>What "auto" tries, best first: the GPUs there are, without software in their place.</summary>
    private static IEnumerable<string> Gpus => GpusAndSoftware.Where(name => !IsSoftware(name));

    private static IEnumerable<string> GpusAndSoftware => Names.Where(IsGpu).Where(name => CountOf(name) > 0).SelectMany(DevicesOf);

    /// <summary>Makes what runs the last layers of a model and its head on a GPU and those before on the CPU; one of the two alone where the other has nothing to do. The caller disposes it.</summary>
    /// <param name="gpu">The GPU's name, as for <see cref="Create"/>.</param>
    /// <param name="gpuLayers">Layers of the GPU.</param>
    /// <param name="plan">The network.</param>
    /// <param name="cpu">What the CPU backend is made with.</param>
    /// <param name="cacheFolder">Where the GPU keeps what its driver makes of shaders; null for nowhere.</param>
    public static IBackend CreateSplit(string gpu, int gpuLayers, Plan plan, CpuOptions? cpu, string? cacheFolder = null)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (gpuLayers <= 0) return Create(Names[0], cpu);
        IBackend last = Create(gpu, null, cacheFolder);
        if (gpuLayers >= plan.Layers.Length) return last;
        try
        {
            return new SplitBackend(Create(Names[0], cpu), last, gpuLayers);
        }
        catch
        {
            last.Dispose();
            throw;
        }
    }

    /// <summary>Why "auto" takes no GPU where software stands in the place of one, as a sentence; null where there is a GPU, or neither.</summary>
    public static string? WhySoftwareIsLeft => FirstGpu is null && GpusAndSoftware.FirstOrDefault(IsSoftware) is string software
        ? $"{software} is software in the place of a GPU, and is taken only by --backend {software}" : null;

    /// <summary>The first GPU of this machine that can be used; null where there is none.</summary>
    public static string? FirstGpu => Gpus.FirstOrDefault(name => WhyNot(name) is null);

    /// <summary>Whether a name stands for a GPU; or, by Vulkan, for software in the place of one.</summary>
    public static bool IsGpu(string name) => IsCuda(name) || IsVulkan(name);

    /// <summary>Whether a name stands for the CPU backend, which takes a number of threads.</summary>
    public static bool HasThreads(string name) => KindOf(name) == BackendName.Cpu;

    /// <summary>Whether a name stands for an NVIDIA GPU.</summary>
    public static bool IsCuda(string name) => KindOf(name) == BackendName.Cuda;

    /// <summary>Whether a name stands for a device by Vulkan.</summary>
    public static bool IsVulkan(string name) => KindOf(name) == BackendName.Vulkan;

    /// <summary>Makes the backend called <paramref name="name"/>; the caller disposes it.</summary>
    /// <param name="name">"auto" for the first of them, one of <see cref="Names"/> or <see cref="Variants"/>, or one of these with the number of a GPU.</param>
    /// <param name="cpu">What a CPU backend is made with; the name says its instructions. Others take none, and refuse cores.</param>
    /// <param name="cacheFolder">Where a GPU keeps what its driver makes of shaders, where it does not do so by itself; null for nowhere.</param>
    /// <exception cref="ArgumentException">There is no such backend, and the message lists those there are; or it cannot be pinned to these cores.</exception>
    /// <exception cref="NotSupportedException">There is no driver, no such device, or it lacks what is needed; or the processor lacks the instructions.</exception>
    /// <exception cref="PlatformNotSupportedException">Cores are given, and the system is not Linux.</exception>
    public static IBackend Create(string name = Auto, CpuOptions? cpu = null, string? cacheFolder = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        BackendName read = IsAuto(name) ? new BackendName(Names[0], 0, "") : Read(name);
        if (cpu?.Cores is not null && read.Kind != BackendName.Cpu)
            throw new ArgumentException($"The {name} backend pins no threads; choose cpu, or leave the cores out.");
        return read.Kind switch
        {
            BackendName.Cpu => new CpuBackend((cpu ?? new CpuOptions()) with { Isa = IsaOf(read) }),
            BackendName.Cuda => new CudaBackend(read.Device, most: read.Variant == "sm80" ? 80 : int.MaxValue, exact: read.Variant == "exact"),
            BackendName.Vulkan => new VulkanBackend(read.Device, plain: read.Variant == "plain", cacheFolder, exact: read.Variant == "exact"),
            _ => new ReferenceBackend(),
        };
    }

    private static bool IsAuto(string name) => string.Equals(name, Auto, StringComparison.OrdinalIgnoreCase);

    private static BackendName Read(string name) => BackendName.Read(name) ?? throw new ArgumentException($"There is no backend '{name}'; choose {Auto}, {Choices}.");

    private static string? KindOf(string name) => BackendName.Read(name)?.Kind;

    private static CpuIsa IsaOf(BackendName name) => name.Variant switch { "vnni" => CpuIsa.AvxVnni, "avx2" => CpuIsa.Avx2, _ => CpuIsa.Auto };

    /// <summary>The devices of a kind, as its driver says; 0 where there is no driver, or none is needed.</summary>
    private static int CountOf(string kind) => IsVulkan(kind) ? VulkanBackend.DeviceCount : IsCuda(kind) && CudaDriver.IsAvailable ? CudaDriver.DeviceCount : 0;

    private static bool IsSoftware(string name) => BackendName.Read(name) is { Kind: BackendName.Vulkan, Device: int device } && VulkanBackend.IsSoftware(device);
}
