using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Vulkan;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The backends that tests run on.</summary>
internal static class TestBackends
{
    /// <summary>The definition the others are held to.</summary>
    public const string Reference = "reference";

    /// <summary>The first Vulkan device with activations rounded to bytes, also where it multiplies these no faster: a name for tests, where no other stands for that.</summary>
    public const string VulkanDots = "vulkan:dot";

    /// <summary>Every device of this machine by name, with the code paths that the best one leaves unused.</summary>
    public static IReadOnlyList<string> Devices { get; } =
        [.. BackendSelector.Names.Concat(BackendSelector.Variants).Where(n => BackendSelector.WhyNot(n) is null && !SameAsFirst(n)), .. HasDotsOfItsOwn() ? [VulkanDots] : Array.Empty<string>()];

    /// <summary>Every backend of this machine: the devices, and pairs of them, of which the second runs the last layer and the head.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Devices, .. Devices.Where(n => n is Reference or "cuda" or "vulkan").Select(n => $"cpu+{n}")];

    /// <summary>One theory row a backend.</summary>
    public static TheoryData<string> All => [.. Names];

    /// <summary>Those that run on the processor, on all its instructions.</summary>
    public static IReadOnlyList<string> OfTheProcessor { get; } = [.. Devices.Where(BackendSelector.HasThreads)];

    /// <summary>One theory row for each of those.</summary>
    public static TheoryData<string> Processor => [.. OfTheProcessor];

    /// <summary>Every pair of a backend and one of <paramref name="items"/>.</summary>
    public static TheoryData<string, string> With(IEnumerable<string> items)
    {
        var rows = new TheoryData<string, string>();
        foreach (string item in items)
            foreach (string backend in Names) rows.Add(backend, item);
        return rows;
    }

    /// <summary>A second device runs the code of the first, and one that rounds nothing is exact anyway.</summary>
    private static bool SameAsFirst(string name) => name is "cuda:1" or "vulkan:1" || (name == "vulkan:exact" && !MultipliesByMatrices(name) && !RoundsByDots("vulkan"));

    private static bool HasDotsOfItsOwn() => BackendSelector.WhyNot("vulkan") is null && !RoundsByDots("vulkan") && RoundsByDots(VulkanDots);

    /// <summary>Makes a backend; two threads by default, so that work is really split.</summary>
    public static IBackend Create(string name, int threads = 2) => name.Split('+') is [string first, string last]
        ? new SplitBackend(Create(first, threads), Create(last, threads), lastLayers: 1)
        : IsVulkan(name) ? KeptBackends.Borrow(name, () => Open(name, threads))
        : Open(name, threads);

    /// <summary>Whether the backend multiplies quantized weights by activations rounded to 8 bits, as the text on LinearOp allows.</summary>
    public static bool RoundsActivations(string name) => name != Reference && (!IsVulkan(name) || _dots.Contains(name));

    /// <summary>Whether it does so in products of few rows alone, and keeps more of them where there are many.</summary>
    public static bool RoundsFewRowsOnly(string name) => name.Split('+').Any(_dots.Contains);

    /// <summary>Whether the backend's executables are <see cref="ITracedExecutable"/>s.</summary>
    public static bool ShowsOps(string name) => !IsPair(name) && BackendSelector.ShowsOps(name);

    /// <summary>Whether the backend rounds activations to 16 bits beside weights of 16 bits where there are many rows, as the text on LinearOp allows.</summary>
    public static bool RoundsToHalves(string name) => HasCuda(name) ? name != "cuda:exact" : name != "vulkan:exact" && _matrices.Contains(name.Split('+')[^1]);

    /// <summary>Whether it is two devices.</summary>
    public static bool IsPair(string name) => name.Contains('+');

    private static readonly HashSet<string> _matrices = [.. Devices.Where(IsVulkan).Where(MultipliesByMatrices)], _dots = [.. Devices.Where(IsVulkan).Where(RoundsByDots)];

    private static IBackend Open(string name, int threads) => name == VulkanDots
        ? new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { SlowIntegerDot = true, NarrowRows = true, Multiprocessors = 1 })
        : BackendSelector.Create(name, new CpuOptions { Threads = threads });

    private static bool MultipliesByMatrices(string name)
    {
        using IBackend backend = Open(name, threads: 2);
        return backend is VulkanBackend { MultipliesByMatrices: true };
    }

    private static bool RoundsByDots(string name)
    {
        using IBackend backend = Open(name, threads: 2);
        return backend is VulkanBackend { RoundsActivations: true };
    }

    private static bool IsVulkan(string name) => name == VulkanDots || BackendSelector.IsVulkan(name);

    private static bool HasCuda(string name) => BackendSelector.IsCuda(name.Split('+')[^1]);
}
