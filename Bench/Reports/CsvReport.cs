using System.Globalization;
using System.Text;

namespace MambaRT.Bench;

/// <summary>The results of a run as comma-separated values, a line each.</summary>
public static class CsvReport
{
    /// <summary>Writes a header and the lines; the model's name is in each, so that files can be put together.</summary>
    public static string Write(RunRecord run)
    {
        var text = new StringBuilder("model,type,backend,codePath,mode,threads,batch,tokens,repetitions,tokensPerSecond,spread,gigabytesPerSecond,gops,shareOfPeak,"
            + "linear,conv,scan,norm,other,peakMemoryBytes,heldBytes,loadMs,timeToFirstTokenMs\n");
        foreach (ResultRecord r in run.Results)
        {
            TimeShares s = r.TimeShare ?? new TimeShares(double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);
            text.AppendJoin(',',
                Quoted(run.Model.Name), Quoted(run.Model.Type), Quoted(r.Backend), Quoted(r.CodePath), JsonReport.ModeName(r.Mode), Whole(r.Threads), Whole(r.Batch),
                Whole(r.Tokens), Whole(r.Repetitions), Number(r.TokensPerSecond), Number(r.Spread), Number(r.GigabytesPerSecond), Number(r.Gops),
                Number(r.ShareOfPeak), Number(s.Linear), Number(s.Conv), Number(s.Scan), Number(s.Norm), Number(s.Other),
                Whole(r.PeakMemoryBytes), Whole(r.HeldBytes), Number(r.LoadMs), Number(r.TimeToFirstTokenMs)).Append('\n');
        }
        return text.ToString();
    }

    private static string Quoted(string text) => $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Whole(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Number(double value) => double.IsFinite(value) ? Math.Round(value, 4).ToString(CultureInfo.InvariantCulture) : "";
}
