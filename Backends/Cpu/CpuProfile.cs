using System.Diagnostics;

namespace MambaRT.Backends.Cpu;

/// <summary>Where the time of runs goes, by kind of op. Read it between runs.</summary>
/// <remarks>Times are those of the calling thread from barrier to barrier: waiting for the other members counts to the op waited for.</remarks>
public sealed class CpuProfile
{
    private long _linear, _conv, _scan, _norm, _other;

    /// <summary>Projections.</summary>
    public TimeSpan Linear => Stopwatch.GetElapsedTime(0, _linear);

    /// <summary>Causal convolutions.</summary>
    public TimeSpan Conv => Stopwatch.GetElapsedTime(0, _conv);

    /// <summary>Scans, of Mamba-1 and Mamba-2.</summary>
    public TimeSpan Scan => Stopwatch.GetElapsedTime(0, _scan);

    /// <summary>Norms, with the gate and the rounding to 8 bit that are part of them.</summary>
    public TimeSpan Norm => Stopwatch.GetElapsedTime(0, _norm);

    /// <summary>Everything else: embedding, rounding of its own, choice of output rows.</summary>
    public TimeSpan Other => Stopwatch.GetElapsedTime(0, _other);

    /// <summary>All of it.</summary>
    public TimeSpan Total => Linear + Conv + Scan + Norm + Other;

    /// <summary>Adds the time since <paramref name="began"/> to a step's kind.</summary>
    /// <returns>Now: where the next step begins.</returns>
    internal long Add(Step step, long began)
    {
        long now = Stopwatch.GetTimestamp();
        if (step is UnitRange { Whole: { } whole }) step = whole;
        ref long kind = ref _other;
        if (step is LinearStep) kind = ref _linear;
        else if (step is ConvStep) kind = ref _conv;
        else if (step is SelectiveScanStep or SsdScanStep) kind = ref _scan;
        else if (step is RmsNormStep or GatedRmsNormStep) kind = ref _norm;
        kind += now - began;
        return now;
    }
}
