using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Losses and divergences against values worked out by hand or by the plain formula.</summary>
public sealed class EvaluationTests
{
    private static readonly float Ln2 = MathF.Log(2), Ln3 = MathF.Log(3);

    [Fact]
    public void RunningMean_FourNumbers_GivesMeanAndStandardError()
    {
        var mean = new RunningMean();
        foreach (double value in new[] { 2.0, 4, 4, 6 }) mean.Add(value);

        Assert.Equal(4, mean.Mean, 15);
        Assert.Equal(Math.Sqrt(8.0 / 3 / 4), mean.Error, 15);
        Assert.Equal(double.NaN, new RunningMean().Error);
    }

    [Fact]
    public void TextLoss_KnownDistributions_GivesPerplexityByHand()
    {
        var loss = new TextLoss();
        // p = 1/4, 1/4, 1/2, and then 1/6, 1/3, 1/2.
        loss.Add([2, 0], [0, 0, Ln2, 0, Ln2, Ln3]);

        Assert.Equal(2, loss.Count);
        Assert.Equal((Math.Log(2) + Math.Log(6)) / 2, loss.Nats, 6);
        Assert.Equal(Math.Sqrt(12), loss.Perplexity, 5);
        // Half the distance of the two is both their deviation over sqrt(2) and the error of their mean.
        Assert.Equal(Math.Log(3) / 2, loss.NatsError, 6);
        Assert.Equal((1 + Math.Log2(6)) / 5, loss.BitsPerByte(5), 6);
    }

    [Fact]
    public void Comparison_TwoTokens_GivesDivergenceByHand()
    {
        var comparison = new ModelComparison(1);
        // P = (1/4, 3/4), (1/2, 1/2); Q = (1/2, 1/2), (3/4, 1/4).
        comparison.Add(0, [1, 0], [0, Ln3, 5, 5]);
        comparison.Add(1, [1, 0], [1, 1, Ln3, 0]);

        double first = 0.25 * Math.Log(0.5) + 0.75 * Math.Log(1.5), second = 0.5 * Math.Log(2 / 3.0) + 0.5 * Math.Log(2);
        Divergence found = comparison.Models[0];
        Assert.Equal((first + second) / 2, found.Mean, 6);
        Assert.Equal(Math.Abs(first - second) / 2, found.MeanError, 6);
        Assert.Equal(Math.Max(first, second), found.Max, 6);
        Assert.Equal((first + second) / 2, found.Quantile(0.5), 6);
        // The most likely tokens are 1, 0 (a tie) against 0 (a tie), 0.
        Assert.Equal(0.5, found.SameBest);
        Assert.Equal(5, found.LargestLogitError, 6);
        Assert.Equal(Math.Sqrt(8 / 3.0), comparison.Base.Perplexity, 5);
        Assert.Equal(Math.Sqrt(8 / 3.0), found.Loss.Perplexity, 5);
        Assert.Equal(1, found.PerplexityRatio, 6);
        // The costs change by ln(3/2) and -ln(3/2).
        Assert.Equal(Math.Log(1.5), found.PerplexityRatioError, 6);
    }

    [Fact]
    public void Comparison_SameLogits_IsExactlyZero()
    {
        float[] logits = Row(3 * 131, 5);
        var comparison = new ModelComparison(1);
        comparison.Add(0, [1, 2, 3], logits);
        comparison.Add(1, [1, 2, 3], logits);

        Divergence found = comparison.Models[0];
        Assert.Equal(0, found.Mean);
        Assert.Equal(0, found.Max);
        Assert.Equal(0, found.LargestLogitError);
        Assert.Equal(1, found.SameBest);
        Assert.Equal(1, found.PerplexityRatio);
        Assert.Equal(0, found.PerplexityRatioError);
        Assert.Equal(comparison.Base.Nats, found.Loss.Nats);
    }

    [Theory]
    [InlineData(1), InlineData(7), InlineData(8), InlineData(37), InlineData(1024)]
    public void Comparison_AnyWidth_AgreesWithThePlainFormula(int width)
    {
        float[] p = Row(width, 1), q = Row(width, 2);
        var comparison = new ModelComparison(1);
        comparison.Add(0, [0], p);
        comparison.Add(1, [0], q);

        double pSum = p.Sum(x => Math.Exp(x)), qSum = q.Sum(x => Math.Exp(x));
        double expected = p.Zip(q, (x, y) => Math.Exp(x) / pSum * (x - Math.Log(pSum) - y + Math.Log(qSum))).Sum();
        Assert.Equal(expected, comparison.Models[0].Mean, 12);
        Assert.Equal(Math.Log(pSum) - p[0], comparison.Base.Nats, 12);
        Assert.Equal(p.Zip(q, (x, y) => Math.Abs(x - y)).Max(), comparison.Models[0].LargestLogitError, 6);
    }

    [Fact]
    public void Quantile_FiveTokens_LiesBetweenNeighboursInProportion()
    {
        var comparison = new ModelComparison(1);
        // Against an even pair, the divergence of (x, 0) is ln((1 + e^x) / 2) - x / 2: it grows with x.
        float[] steps = [2, 0, 4, 1, 3];
        comparison.Add(0, [0, 0, 0, 0, 0], new float[10]);
        comparison.Add(1, [0, 0, 0, 0, 0], [.. steps.SelectMany(x => new[] { x, 0 })]);

        static double At(double x) => Math.Log((1 + Math.Exp(x)) / 2) - x / 2;
        Divergence found = comparison.Models[0];
        Assert.Equal(0, found.Quantile(0), 12);
        Assert.Equal(At(2), found.Quantile(0.5), 12);
        Assert.Equal(At(3) + 0.96 * (At(4) - At(3)), found.Quantile(0.99), 12);
        Assert.Equal(At(4), found.Quantile(1), 12);
        Assert.Throws<ArgumentOutOfRangeException>(() => found.Quantile(1.1));
    }

    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void Run_TwoModels_ScoresEveryWindowFromTheZeroState(string backend)
    {
        using IBackend device = TestBackends.Create(backend);
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32), others = TinyModels.Make("mamba2-g1", QuantTypes.F32);
        using Model model = Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { ChunkTokens = 5 });
        using Model other = Model.Open(others.Metadata, others.Weights, device, new ModelOptions { ChunkTokens = 8 });
        var text = new TokenWindows(TinyModels.Tokens(40), 13);
        var comparison = new ModelComparison(1);
        var shares = new List<double>();

        WindowedScoring.Run([model, other], text, comparison.Add, shares.Add);

        Assert.Equal(3 * 12, text.Scored);
        Assert.Equal(text.Scored, comparison.Base.Count);
        Assert.Equal(Nats(model, text), comparison.Base.Nats, 5);
        Assert.Equal(Nats(other, text), comparison.Models[0].Loss.Nats, 5);
        Assert.True(comparison.Models[0].Mean > 0.01);
        Assert.Equal(1, shares[^1]);
        Assert.Equal(shares.Order(), shares);
    }

    [Fact]
    public void Run_ModelThatGivesNaN_IsRefusedByName()
    {
        using IBackend device = TestBackends.Create(TestBackends.Reference);
        using TinyWeights good = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using var bad = new MemoryWeights();
        foreach (TinyTensor tensor in TinyModels.Tensors("mamba-tied"))
        {
            Assert.True(good.Weights.TryGet(tensor.Name, out TensorView view));
            float[] values = new float[view.Rows * view.Columns];
            for (int r = 0; r < view.Rows; r++) view.DecodeRow(r, values.AsSpan(r * view.Columns, view.Columns));
            if (tensor.Name == "blk.0.ssm_out.weight") values[3] = float.NaN;
            bad.Add(tensor.Name, view.Type, view.Rows, view.Columns, values);
        }
        using Model model = Model.Open(good.Metadata, bad, device);

        string message = Assert.Throws<FormatException>(() =>
            WindowedScoring.Run([model], new TokenWindows(TinyModels.Tokens(8), 8), (_, _, _) => { }, _ => { })).Message;

        Assert.StartsWith("mamba-tied: tensor 'blk.0.ssm_out.weight' holds NaN", message);
    }

    [Theory]
    [InlineData(float.NaN), InlineData(float.PositiveInfinity), InlineData(float.NegativeInfinity)]
    public void AreFinite_OneBadValueAnywhere_IsFalse(float bad)
    {
        for (int at = 0; at < 19; at++)
        {
            float[] logits = Row(19, 3);
            Assert.True(Logits.AreFinite(logits));
            logits[at] = bad;
            Assert.False(Logits.AreFinite(logits), $"at {at}");
        }
    }

    [Theory]
    [InlineData(5), InlineData(8), InlineData(27)]
    public void LogSum_ValuesToBeCleaned_AgreesWithThePlainSum(int width)
    {
        float[] logits = Row(width, 7);
        logits[1] = float.NaN;
        logits[4] = float.NegativeInfinity;

        double expected = Math.Log(logits.Where(x => !float.IsNaN(x)).Sum(x => Math.Exp(x)));

        Assert.Equal(expected, LogProbs.LogSum(logits), 13);
        logits[2] = float.PositiveInfinity;
        Assert.Equal(float.MaxValue, LogProbs.LogSum(logits));
    }

    [Fact]
    public void Windows_TooFewTokens_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => new TokenWindows([1, 2, 3], 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenWindows([1, 2, 3], 1));
    }

    [Fact]
    public void TensorGroups_OfAPlan_AreEachMatrixAndEachRole()
    {
        using IBackend device = TestBackends.Create(TestBackends.Reference);
        using TinyWeights weights = TinyModels.Make("falcon", QuantTypes.F32);
        using Model model = Model.Open(weights.Metadata, weights.Weights, device);

        IReadOnlyList<TensorGroup> groups = TensorGroup.Of(model.Plan);

        string[] roles = ["ssm_in", "ssm_x", "ssm_dt", "ssm_out"];
        string[] single = ["token_embd.weight", "output.weight", .. roles.SelectMany(r => new[] { $"blk.0.{r}.weight", $"blk.1.{r}.weight" })];
        Assert.Equal(single.Order(), groups.Where(g => g.Tensors.Count == 1).Select(g => g.Name).Order());
        Assert.Equal(roles.Select(r => $"blk.*.{r}.weight").Order(), groups.Where(g => g.Tensors.Count == 2).Select(g => g.Name).Order());
        Assert.Equal(["blk.0.ssm_x.weight", "blk.1.ssm_x.weight"], groups.Single(g => g.Name == "blk.*.ssm_x.weight").Tensors);
    }

    [Fact]
    public void WeightOverlay_OneTensor_ReplacesItAlone()
    {
        using TinyWeights below = TinyModels.Make("mamba2-g1", QuantTypes.F32);
        using var overlay = new WeightOverlay(below.Weights);

        long bytes = overlay.Encode("blk.0.ssm_in.weight", QuantTypes.Q8_0);

        Assert.True(overlay.TryGet("blk.0.ssm_in.weight", out TensorView replaced));
        Assert.True(below.Weights.TryGet("blk.0.ssm_in.weight", out TensorView original));
        Assert.True(overlay.TryGet("blk.1.ssm_in.weight", out TensorView other));
        Assert.Equal(QuantTypes.Q8_0, replaced.Type);
        Assert.Equal(replaced.Bytes, bytes);
        Assert.Equal(QuantTypes.F32, other.Type);
        float[] values = new float[original.Columns];
        byte[] row = new byte[replaced.RowBytes];
        original.DecodeRow(3, values);
        QuantTypes.Q8_0.EncodeRow(values, [], row);
        Assert.Equal(row, replaced.Row(3).ToArray());
        Assert.False(overlay.TryGet("blk.9.ssm_in.weight", out _));
        Assert.Throws<ArgumentException>(() => overlay.Encode("blk.9.ssm_in.weight", QuantTypes.Q8_0));
        Assert.Throws<ArgumentException>(() => overlay.Encode("blk.0.ssm_in.weight", QuantTypes.Q8_0));
        Assert.Throws<NotSupportedException>(() => overlay.Encode("blk.1.ssm_in.weight", QuantTypes.MXFP4));
    }

    [Fact]
    public void WeightOverlay_ValueThatIsNotFinite_IsRefusedByTensor()
    {
        using var below = new MemoryWeights();
        below.Add("w", QuantTypes.F32, 2, 32, [.. Enumerable.Range(0, 64).Select(i => i == 40 ? float.PositiveInfinity : i)]);
        using var overlay = new WeightOverlay(below);

        Assert.Contains("'w' holds ∞ in row 1", Assert.Throws<FormatException>(() => overlay.Encode("w", QuantTypes.Q8_0)).Message.Replace("Infinity", "∞"));
    }

    /// <summary>The mean cost, token by token.</summary>
    private static double Nats(Model model, TokenWindows text)
    {
        double total = 0;
        using Session session = model.StartSession();
        for (int w = 0; w < text.Count; w++)
        {
            session.Reset();
            for (int i = 0; i + 1 < text.Length; i++) total -= LogProbs.Of(session.Feed(text[w].Slice(i, 1)), text[w][i + 1]);
        }
        return total / text.Scored;
    }

    private static float[] Row(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 16 - 8)];
    }
}
