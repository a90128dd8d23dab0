using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>How a scan is shared out among the blocks and warps of scan_roles.cu.</summary>
/// <param name="Channels">Of a block.</param>
/// <param name="Servants">Groups of warps that serve those which advance states.</param>
/// <param name="IsWide">Whether all matrices can be accessed four columns at a time.</param>
internal readonly record struct ScanRoles(int Channels, int Servants, bool IsWide)
{
    /// <summary>States a channel.</summary>
    public const int MostStates = 16;

    private const int StatesOfThread = 2, Groups = MostStates / StatesOfThread;

    public string Kernel => IsWide ? $"scan_roles_{Channels}{(Servants > 1 ? $"x{Servants}" : "")}" : "scan_roles_any";

    public int Threads => Channels * Groups * (1 + Servants);

    /// <summary>Two buffers a servant, each of sixteen pairs of rows: steps, B and C, padded sums of threads, and what is kept of a thread's outputs.</summary>
    public int SharedBytes
    {
        get
        {
            const int Pairs = 16, PairBytes = 16, KeptBytes = 32;
            int threads = Channels * Groups;
            return 2 * Servants * (Pairs * ((Channels + 2 * Groups) * PairBytes + (threads + Channels) * 2 * sizeof(float)) + threads * KeptBytes);
        }
    }

    /// <summary>
    /// As few channels as possible for the multiprocessor that has most of them, then as many a block as possible; more servants where each multiprocessor has one
    /// block.
    /// </summary>
    /// <param name="width">Channels of a sequence.</param>
    /// <param name="sequences">Sequences.</param>
    /// <param name="wide">Whether all matrices can be accessed four columns at a time.</param>
    /// <param name="multiProcessors">Of the device.</param>
    /// <param name="mostShared">Shared memory of a block.</param>
    public static ScanRoles For(int width, int sequences, bool wide, int multiProcessors, int mostShared)
    {
        const int Least = 12, Alone = 3;
        (ScanRoles best, int least) = (new ScanRoles(Least, 1, wide), int.MaxValue);
        if (!wide) return best;
        foreach (int channels in (ReadOnlySpan<int>)[20, 16, Least])
        {
            int blocks = Parts(width, channels) * sequences, most = Parts(blocks, multiProcessors) * channels;
            var roles = new ScanRoles(channels, blocks <= multiProcessors && channels <= 16 ? Alone : 1, wide);
            if (roles.SharedBytes > mostShared) roles = roles with { Servants = 1 };
            if (roles.SharedBytes <= mostShared && most < least) (best, least) = (roles, most);
        }
        return best;
    }
}
