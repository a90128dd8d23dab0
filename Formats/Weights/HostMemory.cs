namespace MambaRT.Formats;

/// <summary>
/// The memory that a model takes of the machine's beyond the mapped file: how much it may be, and whose. Weights, states, activations, logits and a file that is
/// copied are counted; what .NET itself needs for vocabulary and plan is not.
/// </summary>
/// <param name="limit">Bytes that may be taken at a time; what is beyond is refused before it is taken.</param>
/// <param name="source">Where it is taken from; null for the system. Logits, and machine code made at load, are the system's in any case.</param>
/// <remarks>Thread-safe. One for each model: what several models take with one object is held to the limit together.</remarks>
public sealed class HostMemory(long limit = long.MaxValue, IMemorySource? source = null)
{
    private long _taken, _most;

    /// <summary>Bytes that may be taken at a time.</summary>
    public long Limit { get; } = limit > 0 ? limit : throw new ArgumentOutOfRangeException(nameof(limit), $"The limit of memory is {limit} bytes; 1 or more are needed.");

    /// <summary>Bytes that are taken at present.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>The most that were taken at a time.</summary>
    public long Most => Interlocked.Read(ref _most);

    /// <summary>Where it is taken from; null for the system.</summary>
    internal IMemorySource? Source { get; } = source;

    /// <summary>Counts memory that is about to be taken, for a backend that takes it by itself.</summary>
    /// <exception cref="InsufficientMemoryException">It would be more than the limit; nothing is counted.</exception>
    public void Count(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        long taken = Interlocked.Add(ref _taken, bytes);
        if (taken > Limit || taken < 0)
        {
            taken = Interlocked.Add(ref _taken, -bytes);
            throw new InsufficientMemoryException($"{bytes:N0} bytes more are needed, {taken:N0} are taken, and the limit of memory is {Limit:N0}; raise it, or open the model with fewer ChunkTokens and keep fewer sessions.");
        }
        for (long most = Most; taken > most; most = Most) Interlocked.CompareExchange(ref _most, taken, most);
    }

    /// <summary>Notes that memory that was counted was given back.</summary>
    public void Release(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Interlocked.Add(ref _taken, -bytes);
    }
}
