using MambaRT.Backends.Cpu;
using MambaRT.Backends.Reference;
using MambaRT.Runtime;

namespace MambaRT.Backends.Auto;

/// <summary>Makes backends by the names that users type.</summary>
public static class BackendSelector
{
    /// <summary>The names there are, best first; "auto" stands for the first.</summary>
    public static IReadOnlyList<string> Names { get; } = ["cpu", "reference"];

    /// <summary>The same backends held to fewer instructions, to compare with: no AVX-512 code, and no VNNI either.</summary>
    public static IReadOnlyList<string> Variants { get; } = ["cpu:vnni", "cpu:avx2"];

    /// <summary>Whether a name stands for the CPU backend, which takes a number of threads.</summary>
    public static bool HasThreads(string name) => name == "cpu" || Variants.Contains(name);

    /// <summary>Makes the backend called <paramref name="name"/>; the caller disposes it.</summary>
    /// <param name="name">"auto" or one of <see cref="Names"/> or <see cref="Variants"/>.</param>
    /// <param name="threads">Threads of a CPU backend; 0 = one per core.</param>
    /// <param name="cores">Cores that a CPU backend's threads are pinned to, one a thread; null = where the system puts them.</param>
    /// <exception cref="ArgumentException">There is no such backend, and the message lists those there are; or it cannot be pinned to these cores.</exception>
    /// <exception cref="PlatformNotSupportedException">Cores are given, and the system is not Linux.</exception>
    public static IBackend Create(string name = "auto", int threads = 0, IReadOnlyList<int>? cores = null) => name switch
    {
        "auto" => Create(Names[0], threads, cores),
        "cpu" => new CpuBackend(threads, cores: cores),
        "cpu:vnni" => new CpuBackend(threads, CpuIsa.AvxVnni, cores),
        "cpu:avx2" => new CpuBackend(threads, CpuIsa.Avx2, cores),
        "reference" when cores is not null => throw new ArgumentException("The reference backend runs on the caller's thread and pins nothing; choose cpu, or leave the cores out."),
        "reference" => new ReferenceBackend(),
        _ => throw new ArgumentException($"There is no backend '{name}'; choose auto, {string.Join(", ", [.. Names, .. Variants])}."),
    };
}
