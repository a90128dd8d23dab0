namespace MambaRT.Devices;

/// <summary>What a backend's kernels of a step of decode can do.</summary>
public sealed record StepLimits
{
    /// <summary>Whether a kernel multiplies by a projection's weights, and does beside it what <see cref="StepGroup"/> says.</summary>
    public required Func<LinearOp, bool> CanMultiply { get; init; }

    /// <summary>Whether a kernel scans so.</summary>
    public required Func<SsdScanOp, bool> CanScan { get; init; }

    /// <summary>Taps of a convolution at most.</summary>
    public required int MostTaps { get; init; }

    /// <summary>Columns of dt's projection at most.</summary>
    public required int MostRank { get; init; }

    /// <summary>States of a channel of Mamba-1's scan at most.</summary>
    public required int MostStates { get; init; }

    /// <summary>Whether that scan's kernel norms dt, B and C.</summary>
    public required bool NormsScans { get; init; }
}
