using Xunit;

namespace MambaRT.Tests;

/// <summary>The largest difference allowed, as a share of the largest expected value.</summary>
/// <param name="Share">The share.</param>
/// <param name="Reason">Why no less is asked for.</param>
internal readonly record struct Tolerance(double Share, string Reason)
{
    public void Check(string subject, ReadOnlySpan<float> expected, ReadOnlySpan<float> got)
    {
        Assert.Equal(expected.Length, got.Length);
        double scale = 0, worst = -1;
        int at = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            scale = Math.Max(scale, Math.Abs(expected[i]));
            double difference = Math.Abs((double)expected[i] - got[i]);
            if (double.IsNaN(difference)) difference = double.PositiveInfinity;
            if (difference <= worst) continue;
            worst = difference;
            at = i;
        }
        Assert.True(scale > 0, $"{subject}: everything is zero, which compares nothing.");
        Assert.True(worst <= Share * scale, $"{subject}: value {at} differs by {worst:g3}, {worst / scale:g3} of the largest; {Share:g3} is allowed ({Reason}). Expected {expected[at]:g9}, got {got[at]:g9}.");
    }
}
