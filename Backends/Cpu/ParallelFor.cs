namespace MambaRT.Backends.Cpu;

/// <summary>Calls <paramref name="body"/> with each of 0 to <paramref name="count"/> - 1, on whatever threads, and returns when all calls have: a program's own job system.</summary>
/// <param name="count">How many calls, never more than <see cref="CpuOptions.Threads"/>.</param>
/// <param name="body">Throws nothing. Calls that run at the same time share the work; one that runs after another finds less or nothing left.</param>
public delegate void ParallelFor(int count, Action<int> body);
