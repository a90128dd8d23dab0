namespace MambaRT.Backends.Vulkan;

/// <summary>How a scan over a prompt is shared out (scan.comp).</summary>
/// <param name="Own">States of a thread and channel.</param>
/// <param name="Lanes">Threads of a channel.</param>
/// <param name="Steps">Steps of a tile.</param>
/// <param name="Across">Channels of a thread.</param>
internal readonly record struct ScanShape(int Own, int Lanes, int Steps, int Across)
{
    /// <summary>Threads of a workgroup.</summary>
    public const int Threads = 128;

    private const int AtOnce = 8, MostSteps = 32, MostReads = 16, ManyChannels = 3072, StatesOfHead = 8, AcrossHead = 2, StepsAcross = 16;

    /// <summary>Channels of a workgroup.</summary>
    public int Channels => Threads / Lanes * Across;

    /// <summary>Shares a scan out: a thread has few states where there are few channels, so that all of a large device has something to do.</summary>
    /// <param name="states">Of a channel.</param>
    /// <param name="channels">How many there are.</param>
    /// <param name="channelsOfGroup">How many read the same B and C: a workgroup's do.</param>
    /// <param name="channelsOfHead">Of Mamba-2 how many decay alike; else 0.</param>
    /// <param name="sharedBytes">Shared memory of a workgroup at most.</param>
    public static ScanShape For(int states, int channels, int channelsOfGroup, int channelsOfHead, int sharedBytes)
    {
        if (channelsOfHead > 0)
        {
            ScanShape wide = For(states, channels, channelsOfGroup, StatesOfHead, AcrossHead, sharedBytes);
            if (wide.Across <= wide.Lanes && channelsOfHead % wide.Channels == 0 && channelsOfGroup % wide.Channels == 0 && wide.Bytes <= sharedBytes) return wide;
        }
        return For(states, channels, channelsOfGroup, channelsOfHead > 0 ? StatesOfHead : channels < ManyChannels ? 2 : 4, 1, sharedBytes);
    }

    private static ScanShape For(int states, int channels, int channelsOfGroup, int own, int across, int sharedBytes)
    {
        int lanes = 1;
        while (lanes < Threads && (lanes * own < states || (channelsOfGroup < channels && channelsOfGroup % (Threads / lanes) != 0))) lanes *= 2;
        own = (DispatchList.Parts(states, lanes) + 1) / 2 * 2;   // pairs
        int steps = across > 1 ? StepsAcross : MostSteps;
        while (steps > AtOnce && (steps * own * lanes > MostReads * Threads || new ScanShape(own, lanes, steps, across).Bytes > sharedBytes)) steps /= 2;
        return new ScanShape(own, lanes, steps, across);
    }

    /// <summary>Shared memory that it takes; without channels of one thread a pair of values that is declared and unused.</summary>
    private int Bytes => Across > 1 ? Steps * sizeof(float) * (2 + Channels + 2 * Own * Lanes + Across * (Threads + Threads / Lanes)) : Steps * sizeof(float) * (2 * Channels + 2 * Own * Lanes + Threads) + 2 * sizeof(float);
}
