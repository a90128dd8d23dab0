using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>
/// Devices that stay open from test to test, each lent to one at a time: to make a shader takes a driver longer than running it, and what it made goes with the device.
/// Two tests at once have two. <see cref="InOrder"/> has tests follow each other that ask for the same shaders; those that lose a device open one of their own.
/// </summary>
internal static class KeptBackends
{
    /// <summary>Tests that a device serves before it is closed, and what was made of shaders with it: 2 MiB each or so.</summary>
    private const int MostLoans = 100;

    private static readonly Dictionary<string, Stack<Kept>> Idle = [];

    /// <summary>What is idle at the end is closed, so that validation layers see what was left on it.</summary>
    static KeptBackends() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        lock (Idle)
            foreach (Kept kept in Idle.Values.SelectMany(idle => idle)) kept.Backend.Dispose();
    };

    /// <summary>Lends a device; disposing what comes back returns it.</summary>
    /// <param name="name">What it is kept under.</param>
    /// <param name="make">Opens one where none is idle.</param>
    public static IBackend Borrow(string name, Func<IBackend> make)
    {
        lock (Idle)
            if (Idle.TryGetValue(name, out Stack<Kept>? idle) && idle.TryPop(out Kept? kept)) return new Borrowed(name, kept);
        return new Borrowed(name, new Kept(make()));
    }

    private static void Return(string name, Kept kept)
    {
        if (++kept.Loans >= MostLoans)
        {
            kept.Backend.Dispose();
            return;
        }
        lock (Idle)
        {
            if (!Idle.TryGetValue(name, out Stack<Kept>? idle)) Idle[name] = idle = [];
            idle.Push(kept);
        }
    }

    private sealed class Kept(IBackend backend)
    {
        public IBackend Backend => backend;

        public int Loans { get; set; }
    }

    private sealed class Borrowed(string name, Kept kept) : IBackend
    {
        private Kept? _kept = kept;

        public string Name => Open.Name;

        public string Description => Open.Description;

        public DeviceDescription Device => Open.Device;

        private IBackend Open => _kept?.Backend ?? throw new ObjectDisposedException(name);

        public int ChunkTokensFor(Plan plan) => Open.ChunkTokensFor(plan);

        public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null) => Open.WhyNot(plan, weights, chunkTokens);

        public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options) => Open.Estimate(plan, weights, options);

        public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default) => Open.Load(plan, weights, options, cancel);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _kept, null) is Kept returned) Return(name, returned);
        }
    }
}
