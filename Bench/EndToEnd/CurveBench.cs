using System.Diagnostics;

namespace MambaRT.Bench;

/// <summary>Follows time and memory over a long generation: both stay flat when nothing grows with the text.</summary>
internal static class CurveBench
{
    private const int Points = 50;

    /// <summary>Decodes from the zero state, a token at a time.</summary>
    public static CurveRecord Run(Model model, int threads, BenchOptions options, CancellationToken cancel)
    {
        int total = options.CurveTokens, points = Math.Min(Points, total);
        var curve = new List<CurvePoint>(points);
        int[] ids = LogitsCheck.Stream(1024, model.Plan.VocabularySize, 0);
        using Session session = model.StartSession();
        for (int point = 1, done = 0; point <= points; point++)
        {
            int end = (int)((long)total * point / points), count = end - done;
            long began = Stopwatch.GetTimestamp();
            for (; done < end; done++)
            {
                if (done % 64 == 0) cancel.ThrowIfCancellationRequested();
                session.Feed(ids.AsSpan(done % ids.Length, 1));
            }
            curve.Add(new CurvePoint(end, Stopwatch.GetElapsedTime(began).TotalMilliseconds / count, ProcessMemory.Now));
            if (point % 10 == 0) options.Progress($"curve: token {end} of {total}, {Text.Fixed(curve[^1].MsPerToken, 3)} ms a token, {Text.MiB(curve[^1].MemoryBytes)}");
        }
        return new CurveRecord(model.BackendName, threads, curve);
    }
}
