using MambaRT.Backends.Auto;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What 'auto' takes, and what is said of devices that cannot be used.</summary>
public sealed class AutoBackendTests
{
    [Fact]
    public void Choose_CoresGiven_IsTheCpu()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F16);
        using IBackend backend = BackendSelector.Choose(Architecture.Record(weights.Metadata, weights.Weights), weights.Weights, new() { Threads = 1 }, out string? whyNot);
        Assert.Equal(BackendSelector.WhyNot("cuda") is null ? "cuda" : "cpu", backend.Name);
        Assert.Null(whyNot);
    }

    [Theory]
    [InlineData("CPU", "cpu")]
    [InlineData("Auto", "auto")]
    [InlineData("cpu:vnni", "cpu:vnni")]
    [InlineData("cuda:0", "cuda")]
    [InlineData("cuda:15", "cuda:15")]
    [InlineData("CUDA:1:Exact", "cuda:1:exact")]
    [InlineData("cuda:0:sm80", "cuda:sm80")]
    [InlineData("vulkan:1:plain", "vulkan:1:plain")]
    [InlineData("vulkan:0:exact", "vulkan:exact")]
    [InlineData("", null)]
    [InlineData("cuda:", null)]
    [InlineData("cuda:-1", null)]
    [InlineData("cuda: 1", null)]
    [InlineData("cuda:exact:1", null)]
    [InlineData("cuda:1:plain", null)]
    [InlineData("cuda:1:exact:", null)]
    [InlineData("cuda:99999999999", null)]
    [InlineData("cpu:1", null)]
    [InlineData("cpu:avx512", null)]
    [InlineData("auto:1", null)]
    [InlineData("reference:0", null)]
    public void Spell_Name_IsItsOneSpellingOrNone(string typed, string? expected)
    {
        Assert.Equal(expected, BackendSelector.Spell(typed));
        if (expected is not null) return;
        Assert.Contains("choose auto, cpu, ", Assert.Throws<ArgumentException>(() => BackendSelector.Create(typed)).Message);
        Assert.Equal(2, CommandLine.Run(["logits", "--tokens", "5", "--backend", typed]).Code);
    }

    [Theory]
    [InlineData("cuda:15", "CUDA: ")]
    [InlineData("cuda:15:exact", "CUDA: ")]
    [InlineData("vulkan:15:plain", "Vulkan: ")]
    public void Logits_DeviceThatThisMachineHasNot_IsMissingAndNoBadUsage(string name, string subject)
    {
        CommandLine run = CommandLine.Run(["logits", "--tokens", "5", "--backend", name]), bench = CommandLine.Run(["bench", "--no-check", "--backend", name]);
        Assert.Equal((1, 1), (run.Code, bench.Code));
        Assert.StartsWith($"{subject}{BackendSelector.WhyNot(name)}", run.Error);
    }

    [Fact]
    public void Create_FirstDeviceByNumber_IsTheSameBackend()
    {
        foreach (string name in TestBackends.Devices.Where(BackendSelector.IsGpu))
        {
            using IBackend named = BackendSelector.Create(name), numbered = BackendSelector.Create(name.Insert(name.Split(':')[0].Length, ":0"));
            Assert.Equal((name, name), (named.Name, numbered.Name));
        }
    }

    [MachineFact(Needs.Vulkan)]
    public void Bench_CoresBesideAGpu_ConcernTheCpuAlone() =>
        Assert.Equal(0, CommandLine.Run(["bench", "--no-check", "--backend", "vulkan,cpu", "--affinity", "0", "--prompt", "4", "--batch", "1", "--budget", "0.01"]).Code);

    [Theory]
    [InlineData("cuda", null)]
    [InlineData("cpu", "cuda:sm80")]
    public void Trace_BackendThatShowsNoOperations_IsRefusedInASentence(string backend, string? against)
    {
        CommandLine run = CommandLine.Run(["info", "--trace", "--tokens", "5", "--backend", backend, .. against is null ? Array.Empty<string>() : ["--against", against]]);
        Assert.Equal(1, run.Code);
        Assert.Single(run.ErrorLines);
        Assert.Contains(BackendSelector.WhyNot("cuda") is null || against is not null ? "cannot show what single operations yield" : "no driver found", run.Error);
    }

    [Fact]
    public void Devices_WithAndWithoutAModel_SayWhatAutoTakes()
    {
        string expected = BackendSelector.FirstGpu ?? "cpu";
        foreach (string[] model in (string[][])[[], ["-m", ModelData.PathOf("models", MambaRT.Cli.DefaultModel.FileName)]])
        {
            Assert.Contains(CommandLine.Run(["devices", .. model]).Output.Split('\n'), line => line.StartsWith($"auto       {expected}", StringComparison.Ordinal));
            Assert.Equal(expected, CommandLine.Run(["devices", "--json", .. model]).Json().GetProperty("auto").GetString());
        }
        Assert.Equal(1, CommandLine.Run(["devices", "-m", "missing.gguf"]).Code);
    }

    [MachineFact(Needs.Cuda)]
    public void Logits_SomeLayersOnTheGpu_AreThoseOfTheCpu()
    {
        string[] line = ["logits", "--tokens", "5,17,42", "--top", "3", "--json"];
        CommandLine split = CommandLine.Run([.. line, "-ngl", "3"]), whole = CommandLine.Run([.. line, "--backend", "cpu"]), none = CommandLine.Run([.. line, "--backend", "cuda", "--gpu-layers", "0"]);
        Assert.Equal((0, 0, 0), (split.Code, whole.Code, none.Code));
        Assert.Matches(@"^The last 3 of \d+ layers run on cuda, those before on cpu\.$", Assert.Single(split.ErrorLines, line => line.Contains("layers", StringComparison.Ordinal)));
        Assert.Equal(whole.Output, none.Output);
        Assert.Equal(Ids(whole), Ids(split));

        static int[] Ids(CommandLine run) => [.. run.Json().GetProperty("positions")[0].GetProperty("top").EnumerateArray().Select(t => t.GetProperty("id").GetInt32())];
    }

    [Fact]
    public void Trace_LayersOnTheGpu_IsRefusedInASentence()
    {
        CommandLine run = CommandLine.Run(["info", "--trace", "--tokens", "5", "-ngl", "3"]);
        Assert.Equal(1, run.Code);
        Assert.Contains("leave out --gpu-layers", run.Error);
    }
}
