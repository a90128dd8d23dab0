using System.Text;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>A run as a Markdown page.</summary>
public static class MarkdownReport
{
    /// <summary>Writes machine, model, results and what failed.</summary>
    public static string Write(RunRecord run)
    {
        var text = new StringBuilder();
        text.Append($"# {Plain(run.Model.Name)}\n\n{run.Version}\n\n");
        foreach (string line in Summary(run)) text.Append($"- {Plain(line)}\n");
        if (run.Machine.ReadGBs.Count > 0) text.Append("\n| threads | reads GB/s | int8 GOP/s | fp32 GFLOP/s |\n|---:|---:|---:|---:|\n");
        foreach ((int threads, double read) in run.Machine.ReadGBs)
            text.Append($"| {threads} | {Text.Fixed(read, 1)} | {Text.Fixed(run.Machine.Int8Gops[threads], 0)} | {Text.Fixed(run.Machine.Fp32Gflops[threads], 0)} |\n");
        text.Append("\n| backend | threads | what | tokens/s | spread | GB/s | GOP/s | of peak | linear / conv / scan / norm / other | peak memory | first token |\n"
            + "|---|---:|---|---:|---:|---:|---:|---:|---|---:|---:|\n");
        foreach (ResultRecord r in run.Results)
            text.Append($"| {r.Backend} | {r.Threads} | {What(r)} | {Text.Rate(r.TokensPerSecond)} | {Text.Percent(r.Spread)} | {Text.Rate(r.GigabytesPerSecond)} | {Text.Rate(r.Gops)} | {Text.Percent(r.ShareOfPeak)} | {Shares(r)} | {Text.MiB(r.PeakMemoryBytes)} | {Text.Fixed(r.TimeToFirstTokenMs, 1)} ms |\n");
        if (run.Curve is not null)
        {
            text.Append($"\n{CurveLine(run.Curve)}\n\n| token | ms a token | memory |\n|---:|---:|---:|\n");
            foreach (CurvePoint p in run.Curve.Points) text.Append($"| {p.Token} | {Text.Fixed(p.MsPerToken, 3)} | {Text.MiB(p.MemoryBytes)} |\n");
        }
        foreach (string failure in run.Failures) text.Append($"\n**Failed:** {Plain(failure)}\n");
        return text.ToString();
    }

    /// <summary>What a device can do at best.</summary>
    internal static string DeviceLine(DeviceRecord d) =>
        $"{d.Backend}: {d.Name} reads {Text.Rate(d.ReadGBs)} GB/s, multiplies F16 at {(double.IsNaN(d.HalfGflops) ? "a rate that was not measured" : $"{Text.Rate(d.HalfGflops)} GFLOP/s")}";

    /// <summary>A few lines on machine, model and checks.</summary>
    internal static IEnumerable<string> Summary(RunRecord run)
    {
        ModelRecord m = run.Model;
        yield return $"machine: {run.Machine.Cpu}, {run.Machine.Cores} logical processors, {run.Machine.Isa}";
        yield return $"model: {m.Architecture}, {m.Type}, {Text.Fixed(m.Parameters / 1e6, 1)} M parameters, file {Text.MiB(m.FileBytes)}, a token reads {Text.MiB(m.WeightBytes)} of weights";
        yield return $"state: {Text.MiB(m.StateBytes)} a session, {m.SessionsPerGiB} sessions a GiB";
        foreach (DeviceRecord device in run.Machine.Devices) yield return DeviceLine(device);
        foreach (CheckRecord c in run.Checks)
            yield return $"check: {c.Backend}, {c.Threads} thread(s): NMSE {c.Nmse:g3} against reference over {c.Tokens} tokens, {c.Bound:g3} allowed";
        if (run.Settings.Cores is { } cores) yield return $"threads pinned to cores {string.Join(", ", cores)}, the first of them with fewer threads";
        foreach (IGrouping<(string, int), ResultRecord> target in run.Results.GroupBy(r => (r.Backend, r.Threads)))
        {
            ResultRecord r = target.First();
            yield return $"{r.Backend}, {r.Threads} thread(s): {r.CodePath}, opened in {Text.Fixed(r.LoadMs, 1)} ms, "
                + $"{Text.MiB(r.HeldBytes)} beside the file (states, scratch for {run.Settings.ChunkTokens} tokens at once, vectors), {Text.MiB(target.Max(x => x.HeldBytes))} with {target.Max(x => x.Batch)} sequences";
        }
    }

    /// <summary>What a long generation came to.</summary>
    internal static string CurveLine(CurveRecord c) =>
        $"from token 1 to {c.Points[^1].Token} ({c.Backend}, {c.Threads} thread(s)): {Text.Fixed(c.Points[0].MsPerToken, 3)} ms a token at first, {Text.Fixed(c.Points[^1].MsPerToken, 3)} ms at last, "
        + $"last tenth to first {Text.Fixed(c.TimeRatio, 2)}; memory {Text.MiB(c.Points[0].MemoryBytes)} at first, {Text.MiB(c.Points[^1].MemoryBytes)} at last";

    /// <summary>"prefill 512" or "decode x 4".</summary>
    internal static string What(ResultRecord r) => r.Mode == BenchMode.Prefill ? $"prefill {r.Tokens}" : $"decode x {r.Batch}";

    /// <summary>Shares of the kinds of op in percent.</summary>
    internal static string Shares(ResultRecord r) => r.TimeShare is TimeShares s
        ? $"{Text.Fixed(100 * s.Linear, 0)} / {Text.Fixed(100 * s.Conv, 0)} / {Text.Fixed(100 * s.Scan, 0)} / {Text.Fixed(100 * s.Norm, 0)} / {Text.Fixed(100 * s.Other, 0)} %" : "-";

    /// <summary>Text as a line or a cell of a table may hold it: what Markdown or a browser would act on is escaped.</summary>
    internal static string Plain(string text)
    {
        var plain = new StringBuilder();
        foreach (char c in Printable.Line(text)) plain.Append(c is '\\' or '`' or '*' or '[' or '<' or '|' ? "\\" : "").Append(c);
        return plain.ToString();
    }
}
