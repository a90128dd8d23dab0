using System.Text;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>A run as lines for a terminal.</summary>
public static class TextReport
{
    /// <summary>Writes machine, model, results and what failed.</summary>
    public static string Write(RunRecord run)
    {
        var text = new StringBuilder();
        foreach (string line in MarkdownReport.Summary(run)) text.AppendLine(Printable.Line(line));
        foreach ((int threads, double read) in run.Machine.ReadGBs)
            text.AppendLine($"peak, {threads} thread(s): reads {Text.Fixed(read, 1)} GB/s, int8 {Text.Fixed(run.Machine.Int8Gops[threads], 0)} GOP/s, fp32 {Text.Fixed(run.Machine.Fp32Gflops[threads], 0)} GFLOP/s");
        if (run.Results.Count > 0)
            text.AppendLine().AppendLine($"{"backend",-10}{"threads",8}  {"what",-14}{"tokens/s",10}{"spread",8}{"GB/s",8}{"GOP/s",8}{"of peak",9}{"memory",11}{"1st token",12}  linear / conv / scan / norm / other");
        foreach (ResultRecord r in run.Results)
            text.AppendLine($"{r.Backend,-10}{r.Threads,8}  {MarkdownReport.What(r),-14}{Text.Rate(r.TokensPerSecond),10}{Text.Percent(r.Spread),8}{Text.Rate(r.GigabytesPerSecond),8}{Text.Rate(r.Gops),8}{Text.Percent(r.ShareOfPeak),9}{Text.MiB(r.PeakMemoryBytes),11}{Text.Fixed(r.TimeToFirstTokenMs, 1) + " ms",12}  {MarkdownReport.Shares(r)}");
        if (run.Curve is not null)
        {
            text.AppendLine();
            foreach (CurvePoint p in run.Curve.Points) text.AppendLine($"token {p.Token,9}: {Text.Fixed(p.MsPerToken, 3)} ms a token, {Text.MiB(p.MemoryBytes)}");
            text.AppendLine(MarkdownReport.CurveLine(run.Curve));
        }
        return text.ToString();
    }
}
