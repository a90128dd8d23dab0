using Xunit;

namespace MambaRT.Tests;

/// <summary>Adds up the errors of rows of values and holds them to a bound: all together, and each value alone.</summary>
internal sealed class Comparison(string subject, Bound bound)
{
    /// <summary>Errors of this many standard deviations do not happen by rounding: a single wrong value shows, however many are right.</summary>
    private const double WorstDeviations = 12;

    private double _errors, _squares, _worst = -1;
    private long _count;
    private string _place = "";

    /// <summary>Compares a row.</summary>
    public void Add(ReadOnlySpan<float> expected, ReadOnlySpan<float> got, string place)
    {
        Assert.Equal(expected.Length, got.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)expected[i] - got[i]);
            if (double.IsNaN(difference)) difference = double.PositiveInfinity;
            _errors += difference * difference;
            _squares += (double)expected[i] * expected[i];
            if (difference <= _worst) continue;
            _worst = difference;
            _place = $"{place}, value {i}: expected {expected[i]:g9}, got {got[i]:g9}";
        }
        _count += expected.Length;
    }

    /// <summary>Fails, naming the worst value, when the errors are above the bound.</summary>
    public void Check()
    {
        if (_count == 0) return;
        double nmse = _errors == 0 ? 0 : _errors / _squares;
        double share = _worst <= 0 ? 0 : _worst / Math.Sqrt(_squares / _count);
        if (nmse > bound.Nmse || share > WorstDeviations * Math.Sqrt(bound.Nmse))
            Assert.Fail($"{subject}: error {nmse:g3}, {bound.Nmse:g3} is allowed ({bound.Reason}); worst, by {share:g3} of the root mean square, at {_place}.");
    }
}
