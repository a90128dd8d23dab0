using Xunit;

namespace MambaRT.Tests;

public sealed class SamplingTests
{
    // Probabilities 0.5, 0.25, 0.125, 0.125 at tokens 2, 0, 1, 3.
    private static readonly float[] Halves = [MathF.Log(0.25f), MathF.Log(0.125f), MathF.Log(0.5f), MathF.Log(0.125f)];

    [Fact]
    public void Rng_Seed42_GivesThePublishedPcg32Sequence()
    {
        var rng = new Rng(42);
        uint[] expected = [0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e];
        Assert.Equal(expected, expected.Select(_ => rng.NextUInt32()));
    }

    [Fact]
    public void Rng_NextDouble_StaysInsideTheUnitInterval()
    {
        var rng = new Rng(1);
        var copy = rng.Clone();
        var values = Enumerable.Range(0, 10000).Select(_ => rng.NextDouble()).ToArray();
        Assert.All(values, v => Assert.InRange(v, 0.0, 1.0 - 1e-12));
        Assert.InRange(values.Average(), 0.49, 0.51);
        Assert.Equal(values[0], copy.NextDouble());
    }

    [Theory]
    [InlineData(1, new[] { 2 })]
    [InlineData(2, new[] { 2, 0 })]
    [InlineData(3, new[] { 2, 0, 1 })]
    [InlineData(4, new[] { 2, 0, 1, 3 })]
    [InlineData(99, new[] { 2, 0, 1, 3 })]
    [InlineData(0, new[] { 0, 1, 2, 3 })]
    public void TopK_TiedLogits_KeepsLowerIdsFirst(int k, int[] expected) =>
        Assert.Equal(expected, Run(new TopK(k), Halves).Ids);

    [Fact]
    public void TopK_RandomLogits_EqualsAFullSort()
    {
        var rng = new Rng(7);
        var logits = Enumerable.Range(0, 5000).Select(_ => (float)(rng.NextUInt32() % 97) - 48f).ToArray();
        var sorted = Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i).ToArray();
        foreach (var k in (int[])[1, 2, 40, 999, 4999, 5000])
        {
            var (ids, kept) = Run(new TopK(k), logits);
            Assert.Equal(sorted.Take(k), ids);
            Assert.Equal(sorted.Take(k).Select(i => logits[i]), kept);
        }
    }

    [Theory]
    [InlineData(0f, 1, new[] { 2 })]
    [InlineData(0.45f, 1, new[] { 2 })]
    [InlineData(0.6f, 1, new[] { 2, 0 })]
    [InlineData(0.8f, 1, new[] { 2, 0, 1 })]
    [InlineData(0.95f, 1, new[] { 2, 0, 1, 3 })]
    [InlineData(1f, 1, new[] { 0, 1, 2, 3 })]
    [InlineData(0.1f, 3, new[] { 2, 0, 1 })]
    public void TopP_KnownDistribution_KeepsTheNucleus(float p, int minKeep, int[] expected) =>
        Assert.Equal(expected, Run(new TopP(p, minKeep), Halves).Ids);

    [Theory]
    [InlineData(0.3f)]
    [InlineData(0.9f)]
    [InlineData(0.999f)]
    public void TopP_LargeVocabulary_KeepsAsManyAsAFullSort(float p)
    {
        var rng = new Rng(3);
        var logits = Enumerable.Range(0, 9000).Select(_ => (float)(rng.NextDouble() * 4)).ToArray();
        var sorted = Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i).ToArray();
        var sum = logits.Sum(l => Math.Exp(l));
        var count = 0;
        for (var covered = 0.0; covered < p * sum; count++) covered += Math.Exp(logits[sorted[count]]);
        Assert.Equal(sorted.Take(count), Run(new TopP(p), logits).Ids);
    }

    [Theory]
    [InlineData(0f, 1, new[] { 0, 1, 2, 3 })]
    [InlineData(0.2f, 1, new[] { 0, 1, 2, 3 })]
    [InlineData(0.3f, 1, new[] { 0, 2 })]
    [InlineData(0.6f, 1, new[] { 2 })]
    [InlineData(1f, 1, new[] { 2 })]
    [InlineData(1f, 3, new[] { 2, 0, 1 })]
    public void MinP_KnownDistribution_KeepsTokensNearTheTop(float p, int minKeep, int[] expected) =>
        Assert.Equal(expected, Run(new MinP(p, minKeep), Halves).Ids);

    // Entropy 1.2130 nats; surprises 0.6931 (d 0.520), 1.3863 (d 0.173), 2.0794 (d 0.866) twice.
    [Theory]
    [InlineData(0f, 1, new[] { 0 })]
    [InlineData(0.2f, 1, new[] { 0 })]
    [InlineData(0.3f, 1, new[] { 2, 0 })]
    [InlineData(0.7f, 1, new[] { 2, 0 })]
    [InlineData(0.8f, 1, new[] { 2, 0, 1 })]
    [InlineData(1f, 1, new[] { 0, 1, 2, 3 })]
    [InlineData(0.1f, 2, new[] { 2, 0 })]
    public void Typical_KnownDistribution_KeepsSurpriseNearEntropy(float p, int minKeep, int[] expected) =>
        Assert.Equal(expected, Run(new Typical(p, minKeep), Halves).Ids);

    [Fact]
    public void Temperature_Half_SquaresTheOdds()
    {
        var (ids, logits) = Run(new Temperature(0.5f), Halves);
        Assert.Equal([0, 1, 2, 3], ids);
        Assert.Equal(2 * Math.Log(0.5), logits[0] - logits[2], 1e-5);
        Assert.Equal(2 * Math.Log(0.25), logits[1] - logits[2], 1e-5);
    }

    [Fact]
    public void Temperature_Zero_KeepsTheFirstOfTheBest()
    {
        Assert.Equal([1], Run(new Temperature(0), [0f, 3f, 3f, -1f]).Ids);
        Assert.Equal([1], Run(new Greedy(), [0f, 3f, 3f, -1f]).Ids);
    }

    [Fact]
    public void Penalties_History_FollowLlamaCpp()
    {
        // Token 0 twice, token 1 once, token 4 outside the window, token 9 outside the vocabulary.
        var (_, logits) = Run(new Penalties(2f, 0.5f, 0.25f, 4), [4f, -1f, 4f, 0f, 1f], [4, 0, 9, 1, 0]);
        Assert.Equal([4f / 2 - 2 * 0.5f - 0.25f, -1f * 2 - 0.5f - 0.25f, 4f, 0f, 1f], logits);
    }

    [Theory]
    [InlineData(0, new[] { 4f, 4f })]
    [InlineData(1, new[] { 4f, 2f })]
    [InlineData(-1, new[] { 2f, 2f })]
    [InlineData(99, new[] { 2f, 2f })]
    public void Penalties_Window_LimitsTheHistory(int lastN, float[] expected) =>
        Assert.Equal(expected, Run(new Penalties(2f, lastN: lastN), [4f, 4f], [0, 1]).Logits);

    [Fact]
    public void Penalties_AfterAShrinkingStep_FindTheTokenAtItsNewPlace()
    {
        int[] ids = [7, 3];
        float[] logits = [2f, 2f];
        var candidates = new Candidates(ids, logits, new ulong[2], [3], new Rng(0));
        new Penalties(2f).Apply(ref candidates);
        Assert.Equal([2f, 1f], logits);
    }

    [Fact]
    public void LogitBias_NegativeInfinity_BansTheToken()
    {
        var bias = new LogitBias(new Dictionary<int, float> { [2] = float.NegativeInfinity, [1] = 1.5f, [77] = 3f });
        Assert.Equal([1f, 2.5f, float.NegativeInfinity], Run(bias, [1f, 1f, 1f]).Logits);
    }

    [Theory]
    [InlineData(1f, 0.1f, 1, new[] { 3 })]
    [InlineData(1f, 0.2f, 1, new[] { 0, 1, 3 })]
    [InlineData(1f, 0.2f, 4, new[] { 2, 0, 1, 3 })]
    [InlineData(1f, 0.4f, 1, new[] { 2, 0, 1, 3 })]
    [InlineData(1f, 0.6f, 1, new[] { 0, 1, 2, 3 })]
    [InlineData(0f, 0.1f, 1, new[] { 0, 1, 2, 3 })]
    public void Xtc_KnownDistribution_DropsAllTopChoicesButTheLast(float probability, float threshold, int minKeep, int[] expected) =>
        Assert.Equal(expected, Run(new Xtc(probability, threshold, minKeep), Halves).Ids);

    [Fact]
    public void MirostatV2_Mu_TruncatesAndLearns()
    {
        // Surprises in bits: 1, 2, 3, 3; mu starts at 2 * tau.
        var sampler = new MirostatV2(1.25f, 0.5f);
        Assert.Equal([0, 2], Run(sampler, Halves).Ids);
        sampler.Accept(0, 0.25);
        Assert.Equal(2.5 - 0.5 * (2 - 1.25), sampler.Mu, 1e-12);
        var copy = (MirostatV2)sampler.Clone();
        sampler.Reset();
        Assert.Equal(2.5, sampler.Mu);
        Assert.Equal(2.125, copy.Mu, 1e-12);
        Assert.Equal([2], Run(new MirostatV2(0, 0.1f), Halves).Ids);
    }

    [Theory]
    [InlineData(1, 3, 3)]   // 2^3 / ln 8 = 3.8
    [InlineData(1, 4, 7)]   // 2^4 / ln 8 = 7.7
    [InlineData(2, 4, 4)]   // (8/7 * 2^4)^(1/2) = 4.3
    [InlineData(2, -9, 1)]
    [InlineData(2, 50, 8)]
    public void MirostatV1_ZipfLaw_KeepsTheTokensOfItsFormula(int exponent, int mu, int kept)
    {
        float[] zipf = [.. Enumerable.Range(1, 8).Select(rank => -exponent * MathF.Log(rank)), float.NegativeInfinity];
        var sampler = new MirostatV1(Math.Abs(mu) / 2f, 1);
        if (mu < 0) sampler.Accept(0, Math.Pow(2, -(2.5 * -mu)));   // a surprise that takes mu from 2 tau below zero
        Assert.Equal(mu, sampler.Mu, 1e-9);
        int[] ids = Run(sampler, zipf[..8]).Ids;
        Assert.Equal(Enumerable.Range(0, kept), ids);
        sampler.Reset();
        var copy = (MirostatV1)sampler.Clone();
        sampler.Accept(0, 0.25);
        Assert.Equal((Math.Abs(mu) - (2 - Math.Abs(mu) / 2.0), Math.Abs(mu)), (sampler.Mu, copy.Mu));
        Assert.Equal([0], Run(new MirostatV1(0), [1f]).Ids);
    }

    [Fact]
    public void Samplers_SingleCandidate_KeepIt()
    {
        ISampler[] all =
        [
            new TopK(5), new TopP(0.1f), new TopP(0), new MinP(1), new Typical(0), new Typical(0.9f), new Temperature(0),
            new Temperature(2), new Xtc(1, 0), new MirostatV2(0), new Greedy(), new Penalties(3, 1, 1), new TopP(0.5f, 9), new MinP(1, 9),
        ];
        foreach (var sampler in all) Assert.Equal([0], Run(sampler, [-3f], [0, 0]).Ids);
    }

    [Fact]
    public void Samplers_BadNumbers_AreRefusedByName()
    {
        Assert.Contains("between 0 and 1", Assert.Throws<ArgumentException>(() => new TopP(1.5f)).Message);
        Assert.Throws<ArgumentException>(() => new MinP(float.NaN));
        Assert.Throws<ArgumentException>(() => new Typical(-0.1f));
        Assert.Throws<ArgumentException>(() => new Temperature(float.PositiveInfinity));
        Assert.Throws<ArgumentException>(() => new Xtc(2));
        Assert.Throws<ArgumentException>(() => new TopP(0.5f, 0));
        Assert.Throws<ArgumentException>(() => new MirostatV2(-1));
        Assert.Throws<ArgumentException>(() => new Penalties(0));
        Assert.Throws<ArgumentException>(() => new Penalties(1, lastN: -2));
        Assert.Throws<ArgumentException>(() => new LogitBias(new Dictionary<int, float> { [-1] = 0 }));
        Assert.Throws<ArgumentException>(() => new LogitBias(new Dictionary<int, float> { [1] = float.PositiveInfinity }));
        Assert.Throws<ArgumentException>(() => new Candidates(new int[2], new float[1], new ulong[2], [], new Rng(0)));
    }

    private static (int[] Ids, float[] Logits) Run(ISampler sampler, float[] logits, int[]? history = null)
    {
        var ids = Enumerable.Range(0, logits.Length).ToArray();
        var candidates = new Candidates(ids, [.. logits], new ulong[logits.Length], history, new Rng(0));
        sampler.Apply(ref candidates);
        return (candidates.Ids.ToArray(), candidates.Logits.ToArray());
    }
}
