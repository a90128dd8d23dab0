namespace MambaRT.CApi;

/// <summary>Whether this thread is in a function of the program's that is called from within a run, for memory or for work: it can close nothing that would wait for that run.</summary>
internal static class LentCalls
{
    [ThreadStatic] private static int _depth;

    /// <summary>Notes that such a function is called.</summary>
    public static void Enter() => _depth++;

    /// <summary>Notes that it has returned.</summary>
    public static void Leave() => _depth--;

    /// <summary>Refuses to close a host or a model, before anything has happened.</summary>
    /// <exception cref="StatusException">This thread is in such a function.</exception>
    public static void RefuseWithin()
    {
        if (_depth > 0) throw new StatusException(Status.State, "A function that is called for memory or for work closes no host and no model; close it when the call has ended that this one came from.");
    }
}
