using System.Text;

namespace MambaRT.Bench;

/// <summary>A run as one HTML page that needs nothing else: tables and plots.</summary>
public static class HtmlReport
{
    private const string Style = "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#111;background:#fff}"
        + "table{border-collapse:collapse;font-size:13px}td,th{padding:3px 9px;border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child{text-align:left}"
        + "svg{max-width:100%;height:auto;font:11px system-ui,sans-serif}.grid{stroke:#e5e7eb}.failed{color:#b91c1c;font-weight:bold}";

    /// <summary>Writes the page.</summary>
    public static string Write(RunRecord run)
    {
        var html = new StringBuilder();
        string title = SvgPlot.Escape(run.Model.Name);
        html.Append($"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{Style}</style></head><body>\n<h1>{title}</h1>\n<p>{SvgPlot.Escape(run.Version)}</p>\n<ul>\n");
        foreach (string line in MarkdownReport.Summary(run)) html.Append($"<li>{SvgPlot.Escape(line)}</li>\n");
        html.Append("</ul>\n");
        foreach (string failure in run.Failures) html.Append($"<p class=\"failed\">{SvgPlot.Escape(failure)}</p>\n");
        html.Append("<h2>Tokens a second</h2>\n").Append(SvgPlot.Bars("tokens/s, all sequences together",
            [.. run.Results.Select(r => ($"{r.Backend}, {r.Threads} thread{(r.Threads == 1 ? "" : "s")}, {MarkdownReport.What(r)}", r.TokensPerSecond))]));
        html.Append("\n<h2>Tokens a second over context length</h2>\n").Append(SvgPlot.Lines("tokens", "tokens/s", OverLength(run), logX: true, logY: false));
        if (run.Curve.Count > 0)
            html.Append("\n<h2>Memory over context length</h2>\n").Append(SvgPlot.Lines("tokens", "MiB resident",
                [new SvgSeries("memory", [.. run.Curve.Select(p => ((double)p.Token, p.MemoryBytes / 1048576.0))])], logX: true, logY: false));
        html.Append("\n<h2>Roofline</h2>\n").Append(SvgPlot.Lines("operations a byte", "GOP/s", Roof(run), logX: true, logY: true));
        html.Append("\n<h2>Measurements</h2>\n");
        WriteTable(html, run);
        return html.Append("</body></html>\n").ToString();
    }

    private static List<SvgSeries> OverLength(RunRecord run)
    {
        var series = new List<SvgSeries>();
        foreach (IGrouping<(string Backend, int Threads), ResultRecord> group in run.Results.Where(r => r.Mode == BenchMode.Prefill).GroupBy(r => (r.Backend, r.Threads)))
            series.Add(new SvgSeries($"{group.Key.Backend}, {group.Key.Threads} thread(s), prefill", [.. group.OrderBy(r => r.Tokens).Select(r => ((double)r.Tokens, r.TokensPerSecond))]));
        if (run.Curve.Count > 0) series.Add(new SvgSeries("decode", [.. run.Curve.Select(p => ((double)p.Token, 1000 / p.MsPerToken))]));
        return series;
    }

    /// <summary>Ceilings at the most threads, and each measurement as a dot at its operations a byte.</summary>
    private static List<SvgSeries> Roof(RunRecord run)
    {
        (double X, double Y)[] dots = [.. run.Results.Select(r => (r.Gops / r.GigabytesPerSecond, r.Gops))];
        var series = new List<SvgSeries>();
        if (run.Machine.ReadGBs.Count > 0 && dots.Length > 0)
        {
            int threads = run.Machine.ReadGBs.Keys.Max();
            double read = run.Machine.ReadGBs[threads], low = Math.Min(0.1, dots.Min(d => d.X)), high = Math.Max(1000, dots.Max(d => d.X));
            foreach ((string name, double peak) in new[] { ("int8", run.Machine.Int8Gops[threads]), ("fp32", run.Machine.Fp32Gflops[threads]) })
                series.Add(new SvgSeries($"{name} ceiling, {threads} thread(s)", [(low, low * read), (peak / read, peak), (high, peak)], Dashed: true));
        }
        foreach (IGrouping<(string, int), ResultRecord> group in run.Results.GroupBy(r => (r.Backend, r.Threads)))
            series.Add(new SvgSeries($"{group.Key.Item1}, {group.Key.Item2} thread(s)", [.. group.Select(r => (r.Gops / r.GigabytesPerSecond, r.Gops))], Joined: false));
        return series;
    }

    private static void WriteTable(StringBuilder html, RunRecord run)
    {
        html.Append("<table><tr><th>backend</th><th>threads</th><th>what</th><th>tokens/s</th><th>spread</th><th>GB/s</th><th>GOP/s</th><th>of peak</th><th>linear / conv / scan / norm / other</th><th>peak memory</th><th>first token</th></tr>\n");
        foreach (ResultRecord r in run.Results)
        {
            string[] cells =
            [
                r.Backend, $"{r.Threads}", MarkdownReport.What(r), Text.Rate(r.TokensPerSecond), Text.Percent(r.Spread), Text.Rate(r.GigabytesPerSecond),
                Text.Rate(r.Gops), Text.Percent(r.ShareOfPeak), MarkdownReport.Shares(r), Text.MiB(r.PeakMemoryBytes), $"{Text.Fixed(r.TimeToFirstTokenMs, 1)} ms",
            ];
            html.Append("<tr>").AppendJoin("", cells.Select(c => $"<td>{SvgPlot.Escape(c)}</td>")).Append("</tr>\n");
        }
        html.Append("</table>\n");
    }
}
