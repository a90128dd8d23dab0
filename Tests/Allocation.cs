namespace MambaRT.Tests;

/// <summary>
/// What a piece of work allocates. The runtime replaces methods by faster code while they run, and may then allocate once on the very thread that runs
/// them; so the figure is that of the quietest of some tries: what allocates at every call allocates in all of them.
/// </summary>
internal static class Allocation
{
    private const int MostTries = 20;

    /// <summary>Bytes allocated on this thread by the try that allocated least; no further try once <paramref name="enough"/> is not exceeded.</summary>
    public static long OnThread(Action work, long enough = 0)
    {
        long least = long.MaxValue;
        for (int i = 0; i < MostTries && least > enough; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }
}
