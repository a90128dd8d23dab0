using System.Text;

namespace MambaRT.Bench;

/// <summary>A run as one HTML page that needs nothing else: plots and tables, in the reader's light or dark scheme.</summary>
public static class HtmlReport
{
    /// <summary>Writes the page.</summary>
    public static string Write(RunRecord run)
    {
        StringBuilder html = HtmlPage.Begin(run.Model.Name, run.Version);
        foreach (string failure in run.Failures) html.Append($"<p class=\"failed\">{SvgPlot.Escape(failure)}</p>\n");
        HtmlPage.AppendList(html, MarkdownReport.Summary(run));
        foreach ((string name, BenchMode mode) in new[] { ("Prefill", BenchMode.Prefill), ("Decode", BenchMode.Decode) })
            html.Append($"<h2>{name}</h2>\n").Append(SvgPlot.Bars("tokens a second, all sequences together", Bars(run, mode), Text.Rate)).Append('\n');
        html.Append("<h2>Over context length</h2>\n").Append(SvgPlot.Lines("tokens of the prompt", "prefill, tokens a second", OverPrompts(run), logX: true, logY: false)).Append('\n');
        if (run.Curve is { } curve)
        {
            html.Append($"<p>Decode {SvgPlot.Escape(MarkdownReport.CurveLine(curve))}.</p>\n");
            html.Append(SvgPlot.Lines("tokens so far", "decode, ms a token", OverTokens(curve, p => p.MsPerToken, p => $"{Text.Fixed(p.MsPerToken, 3)} ms"), logX: false, logY: false)).Append('\n');
            html.Append(SvgPlot.Lines("tokens so far", "MiB resident", OverTokens(curve, p => p.MemoryBytes / 1048576.0, p => Text.MiB(p.MemoryBytes)), logX: false, logY: false)).Append('\n');
        }
        html.Append($"<h2>Roofline</h2>\n<p>Dashed: what this machine reads from memory and computes with {MostThreads(run)} thread(s). Circles are decode, squares prefill. Decode beyond the slope reads from a cache; prefill beyond the int8 ceiling, which is that of AVX2 on x86, uses VNNI.</p>\n")
            .Append(SvgPlot.Lines("operations of the matrix products a byte read", "GOP/s", Roof(run), logX: true, logY: true)).Append('\n');
        html.Append("<h2>Measurements</h2>\n");
        HtmlPage.AppendTable(html, ["backend", "threads", "what", "tokens/s", "spread", "GB/s", "GOP/s", "of peak", "linear / conv / scan / norm / other", "peak memory", "first token"], run.Results.Select(Cells));
        return HtmlPage.End(html);
    }

    private static string Target(ResultRecord r) => $"{r.Backend}, {r.Threads} thread{(r.Threads == 1 ? "" : "s")}";

    /// <summary>Each backend and number of threads has one colour in all plots.</summary>
    private static int Colour(RunRecord run, ResultRecord result) =>
        run.Results.Select(Target).Distinct().ToList().IndexOf(Target(result)) % SvgPlot.Colours;

    private static string Note(ResultRecord r) =>
        $"{Target(r)}, {MarkdownReport.What(r)}: {Text.Rate(r.TokensPerSecond)} tokens/s, spread {Text.Percent(r.Spread)}, {Text.Percent(r.ShareOfPeak)} of peak";

    private static int MostThreads(RunRecord run) => run.Results.Select(r => r.Threads).DefaultIfEmpty().Max();

    private static SvgBar[] Bars(RunRecord run, BenchMode mode) =>
    [
        .. run.Results.Where(r => r.Mode == mode).OrderBy(r => mode == BenchMode.Prefill ? r.Tokens : r.Batch)
            .GroupBy(MarkdownReport.What).SelectMany(g => g.Select(r => new SvgBar(g.Key, Target(r), Colour(run, r), r.TokensPerSecond, Note(r)))),
    ];

    private static SvgSeries[] OverPrompts(RunRecord run) =>
    [
        .. run.Results.Where(r => r.Mode == BenchMode.Prefill).GroupBy(Target).Select(g => new SvgSeries(g.Key, Colour(run, g.First()), SvgMark.Line,
            [.. g.OrderBy(r => r.Tokens).Select(r => new SvgPoint(r.Tokens, r.TokensPerSecond, Note(r)))])),
    ];

    private static SvgSeries[] OverTokens(CurveRecord curve, Func<CurvePoint, double> value, Func<CurvePoint, string> note) =>
        [new SvgSeries("", 0, SvgMark.Line, [.. curve.Points.Select(p => new SvgPoint(p.Token, value(p), $"to token {p.Token}: {note(p)}"))])];

    /// <summary>Ceilings at the most threads measured, and each measurement at its operations a byte.</summary>
    private static List<SvgSeries> Roof(RunRecord run)
    {
        var series = new List<SvgSeries>();
        int threads = MostThreads(run);
        if (run.Machine.ReadGBs.TryGetValue(threads, out double read))
        {
            double Intensity(ResultRecord r) => r.Gops / r.GigabytesPerSecond;
            double low = Math.Min(1, run.Results.Min(Intensity)), high = Math.Max(1000, run.Results.Max(Intensity));
            const int Grey = SvgPlot.Colours - 1;
            foreach ((string name, double peak) in new[] { ("int8", run.Machine.Int8Gops[threads]), ("fp32", run.Machine.Fp32Gflops[threads]) })
                series.Add(new SvgSeries("", Grey, SvgMark.Limit, [new(low, low * read), new(peak / read, peak), new(high, peak, $"{name}: {Text.Rate(peak)} GOP/s")]));
        }
        foreach (IGrouping<string, ResultRecord> target in run.Results.GroupBy(Target))
            foreach ((BenchMode mode, SvgMark mark) in new[] { (BenchMode.Decode, SvgMark.Circles), (BenchMode.Prefill, SvgMark.Squares) })
                series.Add(new SvgSeries(mode == BenchMode.Decode ? target.Key : "", Colour(run, target.First()), mark,
                    [.. target.Where(r => r.Mode == mode).Select(r => new SvgPoint(r.Gops / r.GigabytesPerSecond, r.Gops, Note(r)))]));
        return series;
    }

    private static string[] Cells(ResultRecord r) =>
    [
        r.Backend, $"{r.Threads}", MarkdownReport.What(r), Text.Rate(r.TokensPerSecond), Text.Percent(r.Spread), Text.Rate(r.GigabytesPerSecond),
        Text.Rate(r.Gops), Text.Percent(r.ShareOfPeak), MarkdownReport.Shares(r), Text.MiB(r.PeakMemoryBytes), $"{Text.Fixed(r.TimeToFirstTokenMs, 1)} ms",
    ];
}
