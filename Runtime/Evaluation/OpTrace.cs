namespace MambaRT.Evaluation;

/// <summary>What one op yielded over a text, and how far it was from what the same op of another run yielded.</summary>
/// <param name="op">The op.</param>
/// <param name="bound">Its bound, see <see cref="OpBounds"/>.</param>
public sealed class OpTrace(Op op, double bound)
{
    private double _squares, _errors, _basis, _fromInputs;
    private bool _compared;

    /// <summary>The op.</summary>
    public Op Op => op;

    /// <summary>Rows seen.</summary>
    public long Rows { get; private set; }

    /// <summary>The square root of the sum of all values' squares.</summary>
    public double Norm => Math.Sqrt(_squares);

    /// <summary>The least value; NaN where any is.</summary>
    public float Min { get; private set; } = float.PositiveInfinity;

    /// <summary>The largest value; NaN where any is.</summary>
    public float Max { get; private set; } = float.NegativeInfinity;

    /// <summary>The normalised mean square error against the other run: Σ(a−b)² / Σb²; null where nothing was compared, infinity where a number is missing.</summary>
    public double? Error => !_compared ? null : _errors == 0 ? 0 : double.IsFinite(_errors) ? _errors / _basis : double.PositiveInfinity;

    /// <summary>What <see cref="Error"/> may be: the op's own bound, and what the errors of its inputs may have become in it.</summary>
    public double Allowed => bound + _fromInputs;

    /// <summary>Whether the op is further from the other run than its bound and its inputs account for.</summary>
    public bool Parts => Error > Allowed;

    /// <summary>Takes in rows of the op's output.</summary>
    internal void Add(ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            _squares += (double)value * value;
            Min = Math.Min(Min, value);
            Max = Math.Max(Max, value);
        }
        Rows += values.Length / op.Output.Width;
    }

    /// <summary>Compares the same rows of both runs.</summary>
    /// <param name="values">Of this run.</param>
    /// <param name="basis">Of the other.</param>
    /// <param name="fromInputs">What the errors of its inputs may have become.</param>
    internal void Compare(ReadOnlySpan<float> values, ReadOnlySpan<float> basis, double fromInputs)
    {
        for (int i = 0; i < values.Length; i++)
        {
            double difference = (double)values[i] - basis[i];
            _errors += difference * difference;
            _basis += (double)basis[i] * basis[i];
        }
        _compared |= values.Length > 0;
        _fromInputs = fromInputs;
    }
}
