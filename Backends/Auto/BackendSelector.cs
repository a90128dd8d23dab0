using MambaRT.Backends.Cpu;
using MambaRT.Backends.Reference;
using MambaRT.Runtime;

namespace MambaRT.Backends.Auto;

/// <summary>Makes backends by the names that users type.</summary>
public static class BackendSelector
{
    /// <summary>The names there are, best first; "auto" stands for the first.</summary>
    public static IReadOnlyList<string> Names { get; } = ["cpu", "reference"];

    /// <summary>Makes the backend called <paramref name="name"/>; the caller disposes it.</summary>
    /// <param name="name">"auto" or one of <see cref="Names"/>.</param>
    /// <param name="threads">Threads of a CPU backend; 0 = one per core.</param>
    /// <exception cref="ArgumentException">There is no such backend; the message lists those there are.</exception>
    public static IBackend Create(string name = "auto", int threads = 0) => name switch
    {
        "auto" => Create(Names[0], threads),
        "cpu" => new CpuBackend(threads),
        "reference" => new ReferenceBackend(),
        _ => throw new ArgumentException($"There is no backend '{name}'; choose auto, {string.Join(", ", Names)}."),
    };
}
