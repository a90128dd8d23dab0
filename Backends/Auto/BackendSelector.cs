using System.Globalization;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Reference;

namespace MambaRT.Backends.Auto;

/// <summary>Makes backends by the names that users type.</summary>
public static class BackendSelector
{
    private const string DevicePrefix = "cuda:";

    /// <summary>The names there are; "auto" stands for the first.</summary>
    public static IReadOnlyList<string> Names { get; } = ["cpu", "cuda", "reference"];

    /// <summary>The same backends held to fewer instructions, to compare with (no AVX-512 code, and no VNNI either; no activations of 16 bits; no kernels of compute capability 9.0), and the second GPU.</summary>
    public static IReadOnlyList<string> Variants { get; } = ["cpu:vnni", "cpu:avx2", "cuda:exact", "cuda:sm80", "cuda:1"];

    /// <summary>Why this machine cannot run the backend of this name, as a sentence that begins with what is missing; null when it can. A GPU is asked for only by its own names.</summary>
    public static string? WhyNot(string name) => !IsCuda(name) ? CpuBackend.WhyNot(IsaOf(name))
        : CudaDriver.WhyNot ?? (Device(name) is int device && device >= CudaDriver.DeviceCount ? $"there is no device {device}" : null);

    /// <summary>Whether a name stands for the CPU backend, which takes a number of threads.</summary>
    public static bool HasThreads(string name) => name == "cpu" || name.StartsWith("cpu:", StringComparison.Ordinal);

    /// <summary>Whether a name stands for a GPU.</summary>
    public static bool IsCuda(string name) => name == "cuda" || name.StartsWith(DevicePrefix, StringComparison.Ordinal);

    /// <summary>Makes the backend called <paramref name="name"/>; the caller disposes it.</summary>
    /// <param name="name">"auto", one of <see cref="Names"/> or <see cref="Variants"/>, or cuda:N for GPU N.</param>
    /// <param name="cpu">What a CPU backend is made with; the name says its instructions. Others take none, and refuse cores.</param>
    /// <exception cref="ArgumentException">There is no such backend, and the message lists those there are; or it cannot be pinned to these cores.</exception>
    /// <exception cref="NotSupportedException">There is no driver, no such device, or it is too old; or the processor lacks the instructions.</exception>
    /// <exception cref="PlatformNotSupportedException">Cores are given, and the system is not Linux.</exception>
    public static IBackend Create(string name = "auto", CpuOptions? cpu = null) => name switch
    {
        "auto" => Create(Names[0], cpu),
        "cpu" or "cpu:vnni" or "cpu:avx2" => new CpuBackend((cpu ?? new CpuOptions()) with { Isa = IsaOf(name) }),
        _ when IsCuda(name) && cpu?.Cores is not null => throw new ArgumentException("The cuda backend pins no threads; choose cpu, or leave the cores out."),
        "cuda" => new CudaBackend(),
        "cuda:exact" => new CudaBackend(exact: true),
        "cuda:sm80" => new CudaBackend(most: 80),
        _ when Device(name) is int device => new CudaBackend(device),
        "reference" when cpu?.Cores is not null => throw new ArgumentException("The reference backend runs on the caller's thread and pins nothing; choose cpu, or leave the cores out."),
        "reference" => new ReferenceBackend(),
        _ => throw new ArgumentException($"There is no backend '{name}'; choose auto, {string.Join(", ", [.. Names, .. Variants])}."),
    };

    private static CpuIsa IsaOf(string name) => name switch { "cpu:vnni" => CpuIsa.AvxVnni, "cpu:avx2" => CpuIsa.Avx2, _ => CpuIsa.Auto };

    /// <summary>The number in "cuda:1".</summary>
    private static int? Device(string name) =>
        name.StartsWith(DevicePrefix, StringComparison.Ordinal) && int.TryParse(name.AsSpan(DevicePrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int device) ? device : null;
}
