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
    [InlineData("cuda", null)]
    [InlineData("cpu", "cuda:sm80")]
    public void Trace_BackendThatShowsNoOperations_IsRefusedInASentence(string backend, string? against)
    {
        CommandLine run = CommandLine.Run(["info", "--trace", "--tokens", "5", "--backend", backend, .. against is null ? Array.Empty<string>() : ["--against", against]]);
        Assert.Equal(1, run.Code);
        Assert.Single(run.ErrorLines);
        Assert.Contains(BackendSelector.WhyNot("cuda") is null || against is not null ? "cannot show what single operations yield" : "no driver found", run.Error);
    }
}
