namespace MambaRT.Backends.Cpu;

/// <summary>How a <see cref="CpuBackend"/> uses the processor.</summary>
public sealed record CpuOptions
{
    /// <summary>Threads, the caller's included; 0 = one for each of <see cref="Cores"/>, or one per core the process may use.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// Runs the work on the program's own threads, and on the caller's, instead of on threads of the backend's; null for those. <see cref="Threads"/> says how many calls at
    /// a time it is asked for, 0 = one per core. Without <see cref="Cores"/> and <see cref="MovesThreads"/>.
    /// </summary>
    public ParallelFor? ParallelFor { get; init; }

    /// <summary>The instructions its kernels may use.</summary>
    public CpuIsa Isa { get; init; }

    /// <summary>Cores by number, one a thread, that the threads are pinned to, the caller's only while it runs a model; null = where the system puts them. Linux only.</summary>
    public IReadOnlyList<int>? Cores { get; init; }

    /// <summary>
    /// Whether a thread that lost its core to another process in the middle of its work changes cores with one that waits for it. It sets the affinity of
    /// threads, the caller's among them while it runs a model, which a program of many threads may not want. Linux only, without <see cref="Cores"/>.
    /// </summary>
    public bool MovesThreads { get; init; }
}
