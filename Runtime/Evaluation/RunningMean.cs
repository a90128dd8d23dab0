namespace MambaRT.Evaluation;

/// <summary>Mean of a stream of numbers and its standard error, by Welford's sums in double precision.</summary>
internal sealed class RunningMean
{
    private double _squares;

    /// <summary>How many numbers there were.</summary>
    public long Count { get; private set; }

    /// <summary>Their mean; 0 before the first.</summary>
    public double Mean { get; private set; }

    /// <summary>Standard error of the mean, as if they were independent; NaN below two numbers.</summary>
    public double Error => Count < 2 ? double.NaN : Math.Sqrt(_squares / (Count - 1) / Count);

    /// <summary>Takes a number in.</summary>
    public void Add(double value)
    {
        Count++;
        double off = value - Mean;
        Mean += off / Count;
        _squares += off * (value - Mean);
    }
}
