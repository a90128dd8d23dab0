namespace MambaRT.Backends.Vulkan;

/// <summary>How a scan over a prompt is shared out (scan.comp).</summary>
/// <param name="Own">States of a thread.</param>
/// <param name="Lanes">Threads of a channel.</param>
/// <param name="Steps">Steps of a tile.</param>
internal readonly record struct ScanShape(int Own, int Lanes, int Steps)
{
    /// <summary>Threads of a workgroup.</summary>
    public const int Threads = 128;

    private const int AtOnce = 8, MostSteps = 32, MostReads = 16, ManyChannels = 3072;

    /// <summary>Channels of a workgroup.</summary>
    public int Channels => Threads / Lanes;

    /// <summary>Shares a scan out: a thread has few states where there are few channels, so that all of a large device has something to do.</summary>
    /// <param name="states">Of a channel.</param>
    /// <param name="channels">How many there are.</param>
    /// <param name="channelsOfGroup">How many read the same B and C: a workgroup's do.</param>
    /// <param name="ssd">Whether a step's decay is one of a head.</param>
    /// <param name="sharedBytes">Shared memory of a workgroup at most.</param>
    public static ScanShape For(int states, int channels, int channelsOfGroup, bool ssd, int sharedBytes)
    {
        int own = ssd ? 8 : channels < ManyChannels ? 2 : 4, lanes = 1;
        while (lanes < Threads && (lanes * own < states || (channelsOfGroup < channels && channelsOfGroup % (Threads / lanes) != 0))) lanes *= 2;
        own = (DispatchList.Parts(states, lanes) + 1) / 2 * 2;   // pairs
        int steps = MostSteps;
        while (steps > AtOnce && (steps * own * lanes > MostReads * Threads || Bytes(own, lanes, steps) > sharedBytes)) steps /= 2;
        return new ScanShape(own, lanes, steps);
    }

    private static int Bytes(int own, int lanes, int steps) => steps * sizeof(float) * (2 * (Threads / lanes) + 2 * own * lanes + Threads);
}
