namespace MambaRT.Bench;

/// <summary>A long generation, followed.</summary>
/// <param name="Backend">Where it ran.</param>
/// <param name="Threads">Threads.</param>
/// <param name="Points">Its stretches, in order; at least one.</param>
public sealed record CurveRecord(string Backend, int Threads, IReadOnlyList<CurvePoint> Points)
{
    /// <summary>How many times as long a token takes in the last tenth as in the first; medians, so that one disturbed stretch does not count.</summary>
    public double TimeRatio
    {
        get
        {
            int count = Math.Max(1, Points.Count / 10);
            return Median(Points.TakeLast(count)) / Median(Points.Take(count));

            static double Median(IEnumerable<CurvePoint> points)
            {
                double[] sorted = [.. points.Select(p => p.MsPerToken).Order()];
                return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
            }
        }
    }

    /// <summary>Bytes by which memory grew from the end of the first stretch to the end of the last.</summary>
    public long Growth => Points[^1].MemoryBytes - Points[0].MemoryBytes;
}

/// <summary>A stretch of a long generation.</summary>
/// <param name="Token">Its last token, counted from 1.</param>
/// <param name="MsPerToken">Mean time of a token in it.</param>
/// <param name="MemoryBytes">Memory resident at its end.</param>
public sealed record CurvePoint(long Token, double MsPerToken, long MemoryBytes);
