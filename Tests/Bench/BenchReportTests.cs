using System.Text.Json;
using System.Xml.Linq;
using MambaRT.Bench;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What the bench writes, and what it makes of two records.</summary>
public sealed class BenchReportTests
{
    [Fact]
    public void HostBench_TinyModel_WritesWhatItMeasured()
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(new Mamba().Shape("small", 256, 2, vocabulary: 320), "Q8_0", folder["m.gguf"]);
        HostRecord run = HostBench.Run(new BenchOptions { Path = folder["m.gguf"], Threads = [2], Budget = TimeSpan.FromSeconds(0.2) }, frames: 30);

        Assert.Equal([8, 32], run.Decodes.Select(d => d.Conversations));
        Assert.All(run.Decodes, d => Assert.True(d.BatchTokensPerSecond > 0 && d.HostTokensPerSecond > 0));
        Assert.InRange(run.FirstToken.FedCached, 32, 32 + 256);
        Assert.InRange(run.Delay.LongestMs, run.Delay.MedianMs, double.MaxValue);
        Assert.Equal((30, 30), (run.Frames.Parts.Sum(), run.Frames.IdleParts.Sum()));
        using JsonDocument document = JsonDocument.Parse(HostReport.WriteJson(run));
        Assert.Equal(["version", "machine", "backend", "model", "decode", "firstToken", "delay", "frames"], document.RootElement.EnumerateObject().Select(member => member.Name));
        string text = HostReport.Write(run);
        foreach (string row in new[] { "| 32 |", "| a history of 4000 tokens", "| while a prompt of 8000", "30 steps of 2.0 ms", "| more than 1 ms |" }) Assert.Contains(row, text, StringComparison.Ordinal);
    }

    [Fact]
    public void GenerateBench_TinyModel_WritesTheRecordAsDescribed()
    {
        using var folder = new TemporaryFolder();
        string path = folder["m.gguf"];
        ModelMaker.Write(new Mamba().Shape("small", 256, 2, vocabulary: 320), "Q8_0", path);
        RunRecord run = GenerateBench.Run(new BenchOptions
        {
            Path = path, Threads = [2], Prompts = [64], Batches = [1, 3], DecodeTokens = 4, CurveTokens = 20, Budget = TimeSpan.FromSeconds(0.2),
        });
        Assert.All(run.Checks, check => Assert.True(check.Passed, $"NMSE {check.Nmse}"));

        using JsonDocument document = JsonDocument.Parse(JsonReport.Write(run));
        JsonElement root = document.RootElement, machine = root.GetProperty("machine");
        foreach (string ceiling in new[] { "readGBs", "int8Gops", "fp32Gflops" })
            Assert.True(machine.GetProperty(ceiling).GetProperty("2").GetDouble() > 0.1, ceiling);
        Assert.NotEqual("", machine.GetProperty("cpu").GetString());
        Assert.NotEqual("", machine.GetProperty("isa").GetString());
        Assert.Equal(2 * (512 * 3 + 512 * 16) * 4, root.GetProperty("model").GetProperty("stateBytes").GetInt64());
        JsonElement[] results = [.. root.GetProperty("results").EnumerateArray()];
        Assert.Equal(["prefill", "decode", "decode"], results.Select(r => r.GetProperty("mode").GetString()));
        Assert.Equal([1, 1, 3], results.Select(r => r.GetProperty("batch").GetInt32()));
        foreach (JsonElement result in results)
        {
            Assert.Equal("cpu", result.GetProperty("backend").GetString());
            Assert.NotEqual("", result.GetProperty("codePath").GetString());
            Assert.Equal(2, result.GetProperty("threads").GetInt32());
            foreach (string number in new[] { "tokens", "repetitions", "tokensPerSecond", "gigabytesPerSecond", "gops", "shareOfPeak", "peakMemoryBytes", "heldBytes", "loadMs", "timeToFirstTokenMs" })
                Assert.True(result.GetProperty(number).GetDouble() > 0, number);
            Assert.True(result.GetProperty("spread").GetDouble() >= 0);
            double[] shares = [.. result.GetProperty("timeShare").EnumerateObject().Select(p => p.Value.GetDouble())];
            Assert.Equal(5, shares.Length);
            Assert.InRange(shares.Sum(), 0.99, 1.01);
        }
        JsonElement curve = root.GetProperty("curve");
        Assert.Equal(20, curve.GetProperty("points").EnumerateArray().Last().GetProperty("token").GetInt32());
        Assert.True(curve.GetProperty("timeRatio").GetDouble() > 0);
        Assert.Equal(2, curve.GetProperty("threads").GetInt32());
        Assert.Equal(0.2, root.GetProperty("settings").GetProperty("budgetSeconds").GetDouble(), 6);
    }

    [Fact]
    public void Reports_OfARun_HoldEveryMeasurement()
    {
        RunRecord run = Run(100, 50);
        string[] csv = CsvReport.Write(run).TrimEnd('\n').Split('\n');
        Assert.Equal(1 + run.Results.Count, csv.Length);
        Assert.All(csv, line => Assert.Equal(23, line.Split(',').Length));
        Assert.Contains("| cpu | 2 | prefill 128 | 100 |", MarkdownReport.Write(run), StringComparison.Ordinal);
        Assert.Contains("decode x 1", TextReport.Write(run), StringComparison.Ordinal);

        string html = HtmlReport.Write(run);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<b>", html, StringComparison.Ordinal);   // the name is text, not markup
        int plots = 0;
        for (int at = 0; (at = html.IndexOf("<svg", at, StringComparison.Ordinal)) >= 0; plots++)
        {
            int end = html.IndexOf("</svg>", at, StringComparison.Ordinal) + "</svg>".Length;
            Assert.NotEmpty(XElement.Parse(html[at..end]).Elements());
            at = end;
        }
        Assert.Equal(6, plots);   // two of bars, speed over prompts and tokens, memory over tokens, roofline
        Assert.DoesNotContain("NaN", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Comparison_OfTwoRuns_GivesRatios()
    {
        IReadOnlyList<ComparedResult> results = MambaRT.Bench.Comparison.Of(JsonReport.Write(Run(100, 50)), JsonReport.Write(Run(250, 25)), "a", "b");
        Assert.Equal(2, results.Count);
        Assert.Equal(2.5, results.Single(r => r.Mode == "prefill").Ratio, 6);
        Assert.Equal(0.5, results.Single(r => r.Mode == "decode").Ratio, 6);
        Assert.Contains("2.500", MambaRT.Bench.Comparison.Write(results), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"results\":1}")]
    [InlineData("{\"results\":[{\"mode\":3}]}")]
    [InlineData("{\"results\":[{\"mode\":\"decode\",\"tokensPerSecond\":0,\"backend\":\"cpu\",\"threads\":1,\"batch\":1}]}")]
    [InlineData("{\"results\":[]}")]
    public void Comparison_OfSomethingElse_IsRefused(string json) =>
        Assert.Throws<FormatException>(() => MambaRT.Bench.Comparison.Of(json, JsonReport.Write(Run(1, 1)), "a", "b"));

    [Fact]
    public void SlowPrompts_PrefillBelowDecode_IsAFailure()
    {
        Assert.Empty(GenerateBench.SlowPrompts(Run(100, 50).Results));
        Assert.Single(GenerateBench.SlowPrompts(Run(49, 50).Results));
    }

    [Fact]
    public void Curve_OfALongRun_ComparesItsEnds()
    {
        var flat = new CurveRecord("cpu", 1, [.. Enumerable.Range(1, 30).Select(i => new CurvePoint(i * 100, i == 29 ? 50 : 2, 1000))]);
        var steep = new CurveRecord("cpu", 1, [.. Enumerable.Range(1, 30).Select(i => new CurvePoint(i * 100, i, 1000 + i))]);
        Assert.Equal(1, flat.TimeRatio);   // one disturbed stretch is no slope
        Assert.Equal(29.0 / 2, steep.TimeRatio);
        Assert.Equal((0, 29), (flat.Growth, steep.Growth));
    }

    private static RunRecord Run(double prefill, double decode)
    {
        var one = new Dictionary<int, double> { [2] = 40 };
        var shares = new TimeShares(0.6, 0.1, 0.2, 0.05, 0.05);
        ResultRecord result = new("cpu", "AVX2", BenchMode.Prefill, 2, 1, 128, 5, prefill, 0.1, 1.5, 200, 0.5, shares, 1 << 20, 1 << 10, 3, 4);
        return new RunRecord("mambart", new SettingsRecord(15, 512, null), new MachineRecord("processor", "AVX2", 2, one, one, one, [new DeviceRecord("cuda", "a device", 3000, double.NaN)]), new ModelRecord("<b>", "mamba", "Q8_0", 1000, 2000, 1500, 100), [],
            [result, result with { Mode = BenchMode.Decode, TokensPerSecond = decode, TimeShare = null, ShareOfPeak = double.NaN }], new CurveRecord("cpu", 2, [new CurvePoint(10, 0.5, 1 << 20)]), []);
    }
}
