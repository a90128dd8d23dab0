namespace MambaRT.Backends.Cpu;

/// <summary>Threads that run lists of steps together; the caller may be one of them.</summary>
internal interface ITeam : IDisposable
{
    /// <summary>The most members that run units at a time; a unit is told the number of who runs it, which no two have at a time.</summary>
    int Size { get; }

    /// <summary>Where the time of each step is noted, waiting included; null for no measurement.</summary>
    CpuProfile? Profile { get; set; }

    /// <summary>Runs the steps in order; returns when all are done. Executables of several models take turns.</summary>
    /// <exception cref="OperationCanceledException">The token fired between two steps.</exception>
    void Run(Step[] steps, CancellationToken cancel);
}
