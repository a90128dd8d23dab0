namespace MambaRT.CApi;

/// <summary>
/// The numbers by which C knows objects: the low half is a place, counted from 1, the high half how often the place was used, so that a number that was closed
/// stays wrong. Any thread at any time; looking one up takes no lock.
/// </summary>
internal static class Handles
{
    private static readonly Lock Gate = new();
    private static readonly Stack<int> Free = new();
    private static uint[] _uses = new uint[16];
    private static Entry?[] _entries = new Entry?[16];
    private static int _count;

    /// <summary>Gives an object a number.</summary>
    public static ulong Add(object value)
    {
        lock (Gate)
        {
            if (!Free.TryPop(out int place))
            {
                place = _count;
                if (place == _entries.Length)
                {
                    Array.Resize(ref _uses, 2 * place);
                    Entry?[] larger = new Entry?[2 * place];
                    _entries.CopyTo(larger, 0);
                    Volatile.Write(ref _entries, larger);
                }
                _count++;
            }
            _uses[place]++;
            Volatile.Write(ref _entries[place], new Entry(_uses[place], value));
            return (ulong)_uses[place] << 32 | (uint)(place + 1);
        }
    }

    /// <summary>The object of a number.</summary>
    /// <exception cref="StatusException">It has none, or one of another kind.</exception>
    public static T Get<T>(ulong handle) where T : class => Find(handle)?.Value as T ?? throw Wrong<T>(handle);

    /// <summary>The object of a number, or null where it has none of this kind.</summary>
    public static T? TryGet<T>(ulong handle) where T : class => Find(handle)?.Value as T;

    /// <summary>Takes the number back, which only one of several threads can do.</summary>
    /// <exception cref="StatusException">It has no object, or one of another kind.</exception>
    public static T Remove<T>(ulong handle) where T : class
    {
        lock (Gate)
        {
            T value = Get<T>(handle);
            int place = (int)(uint)handle - 1;
            Volatile.Write(ref _entries[place], null);
            Free.Push(place);
            return value;
        }
    }

    private static Entry? Find(ulong handle)
    {
        Entry?[] entries = Volatile.Read(ref _entries);
        uint place = (uint)handle - 1;   // 0 becomes the largest
        return place < (uint)entries.Length && Volatile.Read(ref entries[place]) is { } entry && entry.Use == (uint)(handle >> 32) ? entry : null;
    }

    private static StatusException Wrong<T>(ulong handle) => new(Status.Handle,
        handle == 0 ? $"The handle is 0, which is none; a {Kind<T>()} is needed." : $"The handle {handle:x} is no {Kind<T>()}: it was closed, or is of another kind.");

    private static string Kind<T>() => typeof(T) == typeof(OpenModel) ? "model" : typeof(T) == typeof(OpenSession) ? "session"
        : typeof(T) == typeof(SamplerChain) ? "sampler" : typeof(T) == typeof(OpenChat) ? "chat" : typeof(T) == typeof(OpenHost) ? "host" : typeof(T) == typeof(OpenRequest) ? "request" : "generator";

    private sealed record Entry(uint Use, object Value);
}
