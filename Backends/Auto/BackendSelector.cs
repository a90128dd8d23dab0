using System.Globalization;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Reference;
using MambaRT.Backends.Vulkan;
using MambaRT.Formats;

namespace MambaRT.Backends.Auto;

/// <summary>Makes backends by the names that users type.</summary>
public static class BackendSelector
{
    private const string CudaPrefix = "cuda:", VulkanPrefix = "vulkan:";

    /// <summary>The names there are; "auto" stands for the first, or where a model is given for what <see cref="Choose"/> takes.</summary>
    public static IReadOnlyList<string> Names { get; } = ["cpu", "cuda", "vulkan", "reference"];

    /// <summary>
    /// The same backends held to fewer instructions, to compare with (no AVX-512 code, and no VNNI either; no activations of 16 bits, by CUDA or by Vulkan; no kernels of compute
    /// capability 9.0; nothing that not every Vulkan device has), and the second GPU.
    /// </summary>
    public static IReadOnlyList<string> Variants { get; } = ["cpu:vnni", "cpu:avx2", "cuda:exact", "cuda:sm80", "cuda:1", "vulkan:exact", "vulkan:plain", "vulkan:1"];

    /// <summary>The names of all devices of a kind, such as "vulkan" and "vulkan:1"; the name alone for what has no more than one.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static IEnumerable<string> DevicesOf(string name)
    {
        int count = IsVulkan(name) ? VulkanBackend.DeviceCount : IsCuda(name) && CudaDriver.IsAvailable ? CudaDriver.DeviceCount : 1;
        return Enumerable.Range(0, Math.Max(count, 1)).Select(i => i == 0 ? name : $"{name}:{i}");
    }

    /// <summary>Why this machine cannot run the backend of this name, as a sentence that begins with what is missing; null when it can. A GPU is asked for only by its own names.</summary>
    public static string? WhyNot(string name) => IsCuda(name) ? CudaBackend.WhyNot(Device(name, CudaPrefix) ?? 0)
        : IsVulkan(name) ? VulkanBackend.WhyNot(Device(name, VulkanPrefix) ?? 0) : CpuBackend.WhyNot(IsaOf(name));

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
    public static IBackend Choose(Plan plan, IWeightSource weights, CpuOptions? cpu, out string? whyNot, string? cacheFolder = null)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(weights);
        whyNot = null;
        foreach (Func<IBackend> open in cpu?.Cores is null ? Gpus(cacheFolder) : [])
        {
            IBackend? backend = null;
            try
            {
                backend = open();
                if (backend.WhyNot(plan, weights) is not string why)
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

    /// <summary>What "auto" tries, best first.</summary>
    private static IEnumerable<Func<IBackend>> Gpus(string? cacheFolder)
    {
        for (int i = 0; CudaDriver.IsAvailable && i < CudaDriver.DeviceCount; i++)
        {
            int device = i;
            yield return () => new CudaBackend(device);
        }
        for (int i = 0; i < VulkanBackend.DeviceCount; i++)
        {
            int device = i;
            if (!VulkanBackend.IsSoftware(i)) yield return () => new VulkanBackend(device, cacheFolder: cacheFolder);
        }
    }

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

    /// <summary>The first GPU of this machine that can be used; null where there is none.</summary>
    public static string? FirstGpu => Names.FirstOrDefault(name => IsGpu(name) && WhyNot(name) is null && !(IsVulkan(name) && VulkanBackend.IsSoftware(0)));

    /// <summary>Whether a name stands for a GPU; or, by Vulkan, for software in the place of one.</summary>
    public static bool IsGpu(string name) => IsCuda(name) || IsVulkan(name);

    /// <summary>Whether a name stands for the CPU backend, which takes a number of threads.</summary>
    public static bool HasThreads(string name) => name == "cpu" || name.StartsWith("cpu:", StringComparison.Ordinal);

    /// <summary>Whether a name stands for an NVIDIA GPU.</summary>
    public static bool IsCuda(string name) => name == "cuda" || name.StartsWith(CudaPrefix, StringComparison.Ordinal);

    /// <summary>Whether a name stands for a device by Vulkan.</summary>
    public static bool IsVulkan(string name) => name == "vulkan" || name.StartsWith(VulkanPrefix, StringComparison.Ordinal);

    /// <summary>Makes the backend called <paramref name="name"/>; the caller disposes it.</summary>
    /// <param name="name">"auto" for the first of them, one of <see cref="Names"/> or <see cref="Variants"/>, or cuda:N or vulkan:N for device N.</param>
    /// <param name="cpu">What a CPU backend is made with; the name says its instructions. Others take none, and refuse cores.</param>
    /// <param name="cacheFolder">Where a GPU keeps what its driver makes of shaders, where it does not do so by itself; null for nowhere.</param>
    /// <exception cref="ArgumentException">There is no such backend, and the message lists those there are; or it cannot be pinned to these cores.</exception>
    /// <exception cref="NotSupportedException">There is no driver, no such device, or it lacks what is needed; or the processor lacks the instructions.</exception>
    /// <exception cref="PlatformNotSupportedException">Cores are given, and the system is not Linux.</exception>
    public static IBackend Create(string name = "auto", CpuOptions? cpu = null, string? cacheFolder = null) => name switch
    {
        "auto" => Create(Names[0], cpu),
        "cpu" or "cpu:vnni" or "cpu:avx2" => new CpuBackend((cpu ?? new CpuOptions()) with { Isa = IsaOf(name) }),
        _ when cpu?.Cores is not null && (IsCuda(name) || IsVulkan(name)) => throw new ArgumentException($"The {name} backend pins no threads; choose cpu, or leave the cores out."),
        "cuda" => new CudaBackend(),
        "cuda:exact" => new CudaBackend(exact: true),
        "cuda:sm80" => new CudaBackend(most: 80),
        _ when Device(name, CudaPrefix) is int device => new CudaBackend(device),
        "vulkan" => new VulkanBackend(cacheFolder: cacheFolder),
        "vulkan:exact" => new VulkanBackend(cacheFolder: cacheFolder, exact: true),
        "vulkan:plain" => new VulkanBackend(plain: true),
        _ when Device(name, VulkanPrefix) is int device => new VulkanBackend(device, cacheFolder: cacheFolder),
        "reference" when cpu?.Cores is not null => throw new ArgumentException("The reference backend runs on the caller's thread and pins nothing; choose cpu, or leave the cores out."),
        "reference" => new ReferenceBackend(),
        _ => throw new ArgumentException($"There is no backend '{name}'; choose auto, {string.Join(", ", [.. Names, .. Variants])}."),
    };

    private static CpuIsa IsaOf(string name) => name switch { "cpu:vnni" => CpuIsa.AvxVnni, "cpu:avx2" => CpuIsa.Avx2, _ => CpuIsa.Auto };

    /// <summary>The number in "cuda:1".</summary>
    private static int? Device(string name, string prefix) =>
        name.StartsWith(prefix, StringComparison.Ordinal) && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int device) ? device : null;
}
