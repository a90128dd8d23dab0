using Xunit;

namespace MambaRT.Tests;

public sealed class SamplerChainTests
{
    private const float Ban = float.NegativeInfinity;

    [Fact]
    public void Pick_SameSeed_GivesTheSameTokens()
    {
        var logits = Noise(1000, 3);
        var options = new SamplingOptions { Seed = 5, TopK = 0, TopP = 1, MinP = 0 };
        var first = Series(options.Build(), logits, 64);
        Assert.Equal(first, Series(options.Build(), logits, 64));
        Assert.NotEqual(first, Series((options with { Seed = 6 }).Build(), logits, 64));
        Assert.Equal(5u, options.Build().Seed);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Clone_MidRun_ContinuesAlikeAndIndependently(int mirostat)
    {
        var logits = Noise(500, 4);
        var chain = new SamplingOptions { Seed = 9, Mirostat = mirostat, TopK = 0, TopP = 1 }.Build();
        var start = Series(chain, logits, 20);
        var fork = chain.Clone();
        var other = chain.Clone(123);
        var further = Series(chain, logits, 40);
        Assert.Equal(further, Series(fork, logits, 40));
        Assert.NotEqual(further, Series(other, logits, 40));
        chain.Reset();
        Assert.Equal(start, Series(chain, logits, 20));
    }

    [Fact]
    public void Pick_ManyTimes_FollowsTheSoftmax()
    {
        double[] p = [0.05, 0.4, 0.25, 0.2, 0.1];
        var chain = new SamplerChain(2024);
        Assert.InRange(ChiSquare(chain, p, p, 20000), 0, 18.47);
    }

    [Fact]
    public void Pick_WithTemperatureAndTopK_FollowsTheReshapedDistribution()
    {
        double[] p = [0.05, 0.4, 0.25, 0.2, 0.1];
        // Top 3 squared and renormalised: 0.16, 0.0625, 0.04 of 0.2625.
        double[] expected = [0, 0.16 / 0.2625, 0.0625 / 0.2625, 0.04 / 0.2625, 0];
        var chain = new SamplerChain(77, new TopK(3), new Temperature(0.5f));
        Assert.InRange(ChiSquare(chain, p, expected, 20000), 0, 13.82);
    }

    [Fact]
    public void Pick_XtcByChance_ActsAtItsRate()
    {
        // Acting leaves token 1 alone; otherwise token 0 has 0.6.
        float[] logits = [MathF.Log(0.6f), MathF.Log(0.4f)];
        var chain = new SamplerChain(11, new Xtc(0.5f, 0.1f));
        var zeros = Series(chain, logits, 20000).Count(t => t == 0);
        Assert.InRange(zeros, 5700, 6300);
    }

    [Fact]
    public void Pick_Mirostat_HoldsTheSurpriseNearTau()
    {
        var logits = Noise(2000, 8);
        var recorder = new SurpriseRecorder();
        var chain = new SamplerChain(1, new MirostatV2(3, 0.1f), recorder);
        Series(chain, logits, 2000);
        Assert.Equal(2000, recorder.Count);
        Assert.InRange(recorder.Bits / recorder.Count, 2.9, 3.1);
    }

    [Fact]
    public void Pick_TemperatureZero_IsTheArgMaxAndIgnoresXtc()
    {
        var chain = new SamplingOptions { Temperature = 0, XtcProbability = 1 }.Build();
        Assert.Equal(1, chain.Pick([1f, 5f, 5f], []));
        Assert.Equal(2, chain.Pick([1f, float.NaN, 5f], []));
    }

    [Fact]
    public void Pick_OddLogits_NeverPicksABannedToken()
    {
        var chain = new SamplerChain(3);
        float[] logits = [float.NaN, Ban, 1f, Ban, float.NaN];
        Assert.All(Series(chain, logits, 200), t => Assert.Equal(2, t));
        Assert.All(Series(chain, [0f, float.PositiveInfinity, 3f], 50), t => Assert.Equal(1, t));
        Assert.Equal(0, chain.Pick([-1e30f], []));
        Assert.Equal(0, new SamplingOptions().Build().Pick([float.MaxValue, float.MinValue], []));
    }

    [Theory]
    [InlineData(0, 0.8f)]
    [InlineData(2, 0.8f)]
    [InlineData(0, 0f)]
    public void Pick_AllBanned_IsRefusedInWords(int mirostat, float temperature)
    {
        var options = new SamplingOptions
        {
            Mirostat = mirostat, Temperature = temperature, Typical = 0.9f, XtcProbability = 1, RepeatPenalty = 2, Seed = 1,
        };
        var error = Assert.Throws<InvalidOperationException>(() => options.Build().Pick([float.NaN, Ban, Ban], [1, 2]));
        Assert.Contains("every logit", error.Message);
        Assert.Throws<ArgumentException>(() => options.Build().Pick([], []));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Pick_AfterTheFirst_AllocatesNothing(int mirostat)
    {
        var logits = Noise(32000, 12);
        int[] history = [.. Enumerable.Range(0, 100)];
        var chain = new SamplingOptions
        {
            Seed = 1, Mirostat = mirostat, Typical = 0.95f, RepeatPenalty = 1.1f, FrequencyPenalty = 0.1f, XtcProbability = 0.5f,
            LogitBias = new Dictionary<int, float> { [3] = 1f },
        }.Build();
        for (var i = 0; i < 3; i++) chain.Pick(logits, history);
        Assert.Equal(0, Allocation.OnThread(() =>
        {
            for (var i = 0; i < 20; i++) chain.Pick(logits, history);
        }));
    }

    [Fact]
    public void Pick_SmallerThenLargerVocabulary_StaysInRange()
    {
        var chain = new SamplingOptions { Seed = 1 }.Build();
        foreach (var size in (int[])[100, 10, 1, 1000]) Assert.InRange(chain.Pick(Noise(size, 1), []), 0, size - 1);
    }

    [Fact]
    public void Options_OutOfRange_NameTheSetting()
    {
        SamplingOptions[] bad =
        [
            new() { Temperature = -1 }, new() { TopK = -1 }, new() { TopP = 2 }, new() { MinP = float.NaN }, new() { Typical = -1 },
            new() { RepeatPenalty = 0 }, new() { RepeatLastN = -2 }, new() { FrequencyPenalty = float.NaN },
            new() { PresencePenalty = float.PositiveInfinity }, new() { XtcProbability = 2 }, new() { XtcThreshold = -1 },
            new() { Mirostat = 3 }, new() { MirostatTau = -1 }, new() { MirostatEta = float.NaN },
        ];
        string[] names =
        [
            "Temperature", "TopK", "TopP", "MinP", "Typical", "RepeatPenalty", "RepeatLastN", "FrequencyPenalty", "PresencePenalty",
            "XtcProbability", "XtcThreshold", "Mirostat", "MirostatTau", "MirostatEta",
        ];
        for (var i = 0; i < bad.Length; i++)
            Assert.StartsWith(names[i] + " must", Assert.Throws<ArgumentException>(() => bad[i].Build()).Message);
        Assert.Throws<ArgumentException>(() => new SamplerChain(1, (ISampler)null!));
    }

    [Fact]
    public void LogProbs_KnownDistribution_MatchesByHand()
    {
        float[] logits = [MathF.Log(0.25f), MathF.Log(0.125f), MathF.Log(0.5f), MathF.Log(0.125f), float.NaN];
        var ids = new int[5];
        var values = new float[5];
        LogProbs.Top(logits, ids, values);
        Assert.Equal([2, 0, 1, 3, 4], ids);
        Assert.Equal(Math.Log(0.5), values[0], 1e-6);
        Assert.Equal(Math.Log(0.125), values[3], 1e-6);
        Assert.Equal(Ban, values[4]);
        Assert.Equal(Math.Log(0.25), LogProbs.Of(logits, 0), 1e-6);
        Assert.Equal(Ban, LogProbs.Of(logits, 4));
        Assert.Equal(0f, LogProbs.Of([1e30f, -1e30f], 0));
    }

    [Fact]
    public void LogProbs_BadArguments_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => LogProbs.Top([1f], new int[2], new float[2]));
        Assert.Throws<ArgumentException>(() => LogProbs.Top([1f, 2f], new int[2], new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LogProbs.Of([1f], 1));
        Assert.Throws<InvalidOperationException>(() => LogProbs.Of([Ban, float.NaN], 0));
    }

    private static double ChiSquare(SamplerChain chain, double[] p, double[] expected, int draws)
    {
        var logits = p.Select(x => (float)Math.Log(x)).ToArray();
        var counts = new int[p.Length];
        foreach (var token in Series(chain, logits, draws)) counts[token]++;
        var chi = 0.0;
        for (var i = 0; i < p.Length; i++)
        {
            if (expected[i] == 0) Assert.Equal(0, counts[i]);
            else chi += Math.Pow(counts[i] - draws * expected[i], 2) / (draws * expected[i]);
        }

        return chi;
    }

    private static int[] Series(SamplerChain chain, float[] logits, int count)
    {
        var tokens = new int[count];
        for (var i = 0; i < count; i++) tokens[i] = chain.Pick(logits, []);
        return tokens;
    }

    private static float[] Noise(int size, ulong seed)
    {
        var rng = new Rng(seed);
        return [.. Enumerable.Range(0, size).Select(_ => (float)(rng.NextDouble() * 8 - 4))];
    }

    private sealed class SurpriseRecorder : IStatefulSampler
    {
        public double Bits { get; private set; }

        public int Count { get; private set; }

        public void Apply(ref Candidates candidates) => Assert.InRange(candidates.Count, 1, 2000);

        public void Accept(int token, double probability)
        {
            Bits -= Math.Log2(probability);
            Count++;
        }

        public void Reset() => Bits = Count = 0;

        public IStatefulSampler Clone() => new SurpriseRecorder();
    }

    public static TheoryData<SamplingOptions, TokenPick?> Picks => new()
    {
        { new SamplingOptions { Seed = 7 }, new TokenPick(0.8f, 40, 0.95f, 0.05f, 7) },
        { new SamplingOptions { Seed = 7, Temperature = 0, RepeatPenalty = 1 }, new TokenPick(0, Seed: 7) },
        { new SamplingOptions { Seed = 7, TopP = 0, TopK = 0, MinP = 0 }, new TokenPick(0.8f, 1, Seed: 7) },
        { new SamplingOptions { Seed = 7, Sequence = [SamplerKind.TopP, SamplerKind.Temperature] }, new TokenPick(0.8f, 0, 0.95f, 0, 7) },
        { new SamplingOptions { Seed = 7, Sequence = [] }, new TokenPick(1, Seed: 7) },
        { new SamplingOptions { Seed = 7, RepeatPenalty = 1.1f, RepeatLastN = 0 }, new TokenPick(0.8f, 40, 0.95f, 0.05f, 7) },
        { new SamplingOptions { Seed = 7, RepeatPenalty = 1.1f }, null },
        { new SamplingOptions { Seed = 7, Temperature = 0, PresencePenalty = 1 }, null },
        { new SamplingOptions { Seed = 7, Typical = 0.9f }, null },
        { new SamplingOptions { Seed = 7, XtcProbability = 0.1f }, null },
        { new SamplingOptions { Seed = 7, Mirostat = 2 }, null },
        { new SamplingOptions { Seed = 7, LogitBias = new Dictionary<int, float> { [1] = 2 } }, null },
        { new SamplingOptions { Seed = 7, Sequence = [SamplerKind.Temperature, SamplerKind.TopP] }, null },
        { new SamplingOptions { Seed = 7, Sequence = [SamplerKind.MinP, SamplerKind.TopK] }, null },
    };

    [Theory]
    [MemberData(nameof(Picks))]
    public void BeginText_ChainOfOptions_IsThePickThatSaysTheSame(SamplingOptions options, TokenPick? expected) => Assert.Equal(expected, options.Build().BeginText());

    [Fact]
    public void BeginText_NextTextOrACopy_HasRandomNumbersOfItsOwn()
    {
        var chain = new SamplingOptions { Seed = 7 }.Build();
        Assert.Equal(7ul, chain.BeginText()!.Value.Seed);
        Assert.Equal(1ul << 32 | 7, chain.Clone().BeginText()!.Value.Seed);
        Assert.Equal(8ul, chain.Clone(8).BeginText()!.Value.Seed);
        Assert.Equal(1ul << 32 | 7, chain.BeginText()!.Value.Seed);
        chain.Reset();
        Assert.Equal(7ul, chain.BeginText()!.Value.Seed);
    }

    [Fact]
    public void BeginText_StepOfAnotherKind_IsNone() => Assert.Null(new SamplerChain(1, new TopK(4), new TopP(0.9f, minKeep: 2)).BeginText());
}
