using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Sampling that a model's file asks for.</summary>
public sealed class RecommendedSamplingTests
{
    private const string Prefix = "general.sampling.";

    [Fact]
    public void FromMetadata_EveryKeyOfLlamaCpp_IsTaken()
    {
        SamplingOptions options = SamplingOptions.FromMetadata(Metadata(
            ("temp", 0.25f), ("top_k", 7), ("top_p", 0.5f), ("min_p", 0.125f), ("xtc_probability", 0.75f), ("xtc_threshold", 0.3f), ("penalty_repeat", 1.5f),
            ("penalty_last_n", -1), ("mirostat", 1), ("mirostat_tau", 4f), ("mirostat_eta", 0.2f), ("sequence", "temperature;top-k;min_p")));
        Assert.Equal([SamplerKind.Temperature, SamplerKind.TopK, SamplerKind.MinP], options.Sequence);
        Assert.Equal(new SamplingOptions
        {
            Temperature = 0.25f, TopK = 7, TopP = 0.5f, MinP = 0.125f, XtcProbability = 0.75f, XtcThreshold = 0.3f, RepeatPenalty = 1.5f,
            RepeatLastN = -1, Mirostat = 1, MirostatTau = 4, MirostatEta = 0.2f, Sequence = options.Sequence,
        }, options);
    }

    [Fact]
    public void FromMetadata_NumbersOfOtherTypes_AreTaken()
    {
        SamplingOptions options = SamplingOptions.FromMetadata(Metadata(("temp", 1), ("top_k", 50.0f), ("min_p", 0.25), ("penalty_last_n", 32u)));
        Assert.Equal((1, 50, 0.25f, 32), (options.Temperature, options.TopK, options.MinP, options.RepeatLastN));
        Assert.Equal(0, SamplingOptions.FromMetadata(Metadata(("top_k", -1))).TopK);
    }

    [Theory]
    [InlineData("min_p", 2f)]
    [InlineData("penalty_repeat", 0f)]
    [InlineData("penalty_last_n", -2)]
    [InlineData("xtc_probability", -1f)]
    [InlineData("mirostat", 3)]
    [InlineData("mirostat_tau", float.NaN)]
    [InlineData("top_k", 1.5f)]
    [InlineData("temp", "hot")]
    [InlineData("temp", -1f)]
    [InlineData("temp", new[] { 1f })]
    [InlineData("temp", true)]
    [InlineData("top_p", 2f)]
    [InlineData("top_k", ulong.MaxValue)]
    [InlineData("min_p", double.PositiveInfinity)]
    [InlineData("sequence", 5)]
    public void FromMetadata_ValueThatMeansNothing_IsLeftOutAndTold(string key, object value)
    {
        List<string> notes = [];
        Assert.Equal(new SamplingOptions { XtcThreshold = 0.25f }, SamplingOptions.FromMetadata(Metadata((key, value), ("xtc_threshold", 0.25f)), notes));
        string note = Assert.Single(notes);
        Assert.Contains("m.gguf: ", note, StringComparison.Ordinal);
        Assert.Contains($"'{Prefix}{key}'", note, StringComparison.Ordinal);
    }

    [Fact]
    public void Sequence_NamesOfLlamaCpp_AreReadAndOthersTold()
    {
        List<string> notes = [];
        GgufMetadata all = Metadata(("sequence", "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"));
        Assert.Equal(SamplerSequence.Usual, SamplingOptions.FromMetadata(all, notes).Sequence);
        Assert.Equal(SamplerSequence.Usual, SamplingOptions.FromMetadata(Metadata(("sequence", "")), notes).Sequence);
        Assert.Empty(notes);
        Assert.Equal([SamplerKind.TopP, SamplerKind.Temperature, SamplerKind.Typical],
            SamplingOptions.FromMetadata(Metadata(("sequence", " Nucleus ; infill;temp;sorcery;typical-p")), notes).Sequence);
        Assert.Contains("infill, sorcery", Assert.Single(notes), StringComparison.Ordinal);
        Assert.Equal(SamplerSequence.Usual, SamplingOptions.FromMetadata(Metadata(("sequence", string.Join(';', Enumerable.Repeat("top_k", 65)))), notes).Sequence);
        Assert.Contains("65 names", notes[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Sequence_Order_DecidesWhatIsKept()
    {
        // At temperature 4 the second token has more than half of the first one's probability, at 1 less.
        float[] logits = [2, 1, -50];
        SamplingOptions options = new() { Seed = 1, Temperature = 4, MinP = 0.5f, TopK = 0, TopP = 1 };
        Assert.Equal([0], Picks(options with { Sequence = [SamplerKind.MinP, SamplerKind.Temperature] }));
        Assert.Equal([0, 1], Picks(options with { Sequence = [SamplerKind.Temperature, SamplerKind.MinP] }));
        Assert.Equal([0, 1], Picks(options with { Sequence = [] }));
        Assert.Equal([0], Picks(options with { Temperature = 0, Sequence = [] }));

        int[] Picks(SamplingOptions of)
        {
            SamplerChain chain = of.Build();
            return [.. Enumerable.Range(0, 200).Select(_ => chain.Pick(logits, [])).Distinct().Order()];
        }
    }

    private static GgufMetadata Metadata(params (string Key, object Value)[] entries)
    {
        var metadata = new GgufMetadata("m.gguf");
        foreach ((string key, object value) in entries) metadata.Set(Prefix + key, value);
        return metadata;
    }
}
