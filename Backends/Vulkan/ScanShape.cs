namespace MambaRT.Backends.Vulkan;

/// <summary>How a scan over a prompt is shared out (scan.comp).</summary>
/// <param name="Own">States of a thread and channel.</param>
/// <param name="Lanes">Threads of a channel.</param>
/// <param name="Steps">Steps of a tile.</param>
/// <param name="Across">Channels of a thread.</param>
/// <param name="Servers">Threads beside those that scan, which bring what they need and finish what they yield; 0: these do it themselves.</param>
internal readonly record struct ScanShape(int Own, int Lanes, int Steps, int Across, int Servers)
{
    /// <summary>Threads of a workgroup that scan.</summary>
    public const int Threads = 128;

    /// <summary>Threads that serve them at most: of 16 states a channel they have twice to three times as much to do.</summary>
    private const int MostServers = 384, StepsServed = 24;

    private const int AtOnce = 8, MostSteps = 32, MostReads = 16, ManyChannels = 3072, StatesOfHead = 8, AcrossHead = 2, StepsAcross = 16;

    /// <summary>Channels of a workgroup.</summary>
    public int Channels => Threads / Lanes * Across;

    /// <summary>Shares a scan out: a thread has few states where there are few channels, so that all of a large device has something to do.</summary>
    /// <param name="states">Of a channel.</param>
    /// <param name="channels">How many there are.</param>
    /// <param name="channelsOfGroup">How many read the same B and C: a workgroup's do.</param>
    /// <param name="channelsOfHead">Of Mamba-2 how many decay alike; else 0.</param>
    /// <param name="sharedBytes">Shared memory of a workgroup at most.</param>
    /// <param name="mostThreads">Threads of a workgroup at most, where such as serve others are worth it; else 0.</param>
    public static ScanShape For(int states, int channels, int channelsOfGroup, int channelsOfHead, int sharedBytes, int mostThreads)
    {
        if (channelsOfHead > 0)
        {
            ScanShape wide = Alone(states, channels, channelsOfGroup, StatesOfHead, AcrossHead, sharedBytes);
            if (wide.Across <= wide.Lanes && channelsOfHead % wide.Channels == 0 && channelsOfGroup % wide.Channels == 0 && wide.Bytes <= sharedBytes) return wide;
        }
        bool few = channelsOfHead == 0 && channels < ManyChannels;
        ScanShape shape = Alone(states, channels, channelsOfGroup, channelsOfHead > 0 ? StatesOfHead : few ? 2 : 4, 1, sharedBytes);
        return few ? shape.Served(sharedBytes, mostThreads) : shape;
    }

    /// <summary>
    /// The same with threads that serve, where there is room for tiles in two stages. On an H200 2,048 rows of mamba-130m take 81 us so, 118 without; of mamba-2.8b,
    /// whose workgroups are enough to do something else meanwhile, 211 and 206; and of mamba2-1.3b, for whose 128 states a channel there is room for eight steps only, 544 and 347.
    /// </summary>
    private ScanShape Served(int sharedBytes, int mostThreads)
    {
        int servers = Math.Min(MostServers, (mostThreads - Threads) / Threads * Threads);
        for (int steps = Math.Min(Steps, StepsServed); servers > 0 && steps >= AtOnce; steps -= AtOnce)
        {
            ScanShape served = this with { Steps = steps, Servers = servers };
            if (served.Bytes <= sharedBytes) return served;
        }
        return this;
    }

    private static ScanShape Alone(int states, int channels, int channelsOfGroup, int own, int across, int sharedBytes)
    {
        int lanes = 1;
        while (lanes < Threads && (lanes * own < states || (channelsOfGroup < channels && channelsOfGroup % (Threads / lanes) != 0))) lanes *= 2;
        own = (DispatchList.Parts(states, lanes) + 1) / 2 * 2;   // pairs
        int steps = across > 1 ? StepsAcross : MostSteps;
        while (steps > AtOnce && (steps * own * lanes > MostReads * Threads || new ScanShape(own, lanes, steps, across, 0).Bytes > sharedBytes)) steps /= 2;
        return new ScanShape(own, lanes, steps, across, 0);
    }

    /// <summary>Shared memory that it takes; without channels of one thread a pair of values that is declared and unused.</summary>
    private int Bytes => (Servers > 0 ? 2 : 1) * Steps * sizeof(float) * (Across > 1 ? 2 + Channels + 2 * Own * Lanes + Across * (Threads + Threads / Lanes) : 2 * Channels + 2 * Own * Lanes + Threads) + (Across > 1 ? 0 : 2 * sizeof(float));
}
