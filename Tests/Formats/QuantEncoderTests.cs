using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>How near the encoders come to the values, against llama.cpp's files and against bounds that follow from the formats.</summary>
public sealed class QuantEncoderTests
{
    public static TheoryData<string> Types => [.. QuantTypes.All.Where(type => type.CanEncode && type.BlockLength > 1).Select(type => type.Name)];

    public static TheoryData<string, string> Published => new()
    {
        { "micro-mamba2-q4_0", "Q4_0" }, { "micro-mamba2-q4_1", "Q4_1" }, { "micro-mamba2-q5_0", "Q5_0" }, { "micro-mamba2-q5_1", "Q5_1" },
        { "micro-mamba2-q2_k", "Q2_K" }, { "micro-mamba2-q3_k_m", "Q3_K" }, { "micro-mamba2-q4_k_m", "Q4_K" }, { "micro-mamba2-q5_k_m", "Q5_K" },
        { "micro-mamba2-q6_k", "Q6_K" }, { "micro-mamba2-iq4_nl", "IQ4_NL" }, { "micro-mamba2-iq4_xs", "IQ4_XS" },
    };

    private static QuantType Named(string name) => QuantTypes.ByName(name) ?? throw new ArgumentException(name);

    private static float[] Gaussian(int count, int seed, float deviation = 0.02f)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
            (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    private static float[] Stored(QuantType type, ReadOnlySpan<float> values, ReadOnlySpan<float> importance = default)
    {
        byte[] row = new byte[type.RowBytes(values.Length)];
        type.EncodeRow(values, importance, row);
        float[] stored = new float[values.Length];
        type.DecodeRow(row, stored);
        return stored;
    }

    private static double Error(ReadOnlySpan<float> values, ReadOnlySpan<float> stored, ReadOnlySpan<float> weights = default)
    {
        double error = 0;
        for (int i = 0; i < values.Length; i++) error += Math.Pow((double)values[i] - stored[i], 2) * (weights.IsEmpty ? 1 : weights[i]);
        return error;
    }

    /// <summary>The first 64 rows of two matrices of micro-mamba2 before llama.cpp quantized it, against what it made of them.</summary>
    [Theory, MemberData(nameof(Published))]
    public void EncodeRow_WeightsThatLlamaCppQuantized_ErrsLess(string model, string name)
    {
        const int Rows = 64;
        QuantType type = Named(name);
        byte[] halves = File.ReadAllBytes(ModelData.PathOf("quant", "micro-mamba2-rows.f16"));
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile(model, folder);
        double ours = 0, theirs = 0;
        int at = 0;
        foreach (string tensor in (string[])["blk.0.ssm_in.weight", "blk.0.ssm_out.weight"])
        {
            Assert.True(file.TryGet(tensor, out TensorView view));
            Assert.Equal(type, view.Type);
            var values = new float[view.Columns];
            var published = new float[view.Columns];
            for (int row = 0; row < Rows; row++, at += 2 * view.Columns)
            {
                QuantTypes.F16.DecodeRow(halves.AsSpan(at, 2 * view.Columns), values);
                view.DecodeRow(row, published);
                ours += Error(values, Stored(type, values));
                theirs += Error(values, published);
            }
        }
        Assert.Equal(halves.Length, at);
        Assert.InRange(ours / theirs, 0.5, 0.99);   // below 0.5 they would not be the same weights
    }

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_WithImportance_ErrsLessWhereItMatters(string name)
    {
        QuantType type = Named(name);
        float[] values = Gaussian(256 * 64, seed: 21);
        var random = new Random(22);
        float[] importance = [.. values.Select(_ => (float)Math.Exp(4 * random.NextDouble() - 2))];

        double plain = Error(values, Stored(type, values), importance), weighted = Error(values, Stored(type, values, importance), importance);

        if (type == QuantTypes.Q8_0) Assert.Equal(plain, weighted);   // byte-equal to llama.cpp's, which searches no scale
        else Assert.InRange(weighted / plain, 0, 0.995);
    }

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_ImportanceInOtherUnits_GivesTheSameBytes(string name)
    {
        QuantType type = Named(name);
        float[] values = Gaussian(512, seed: 23);
        float[] importance = [.. Gaussian(512, seed: 24).Select(x => x * x)], scaled = [.. importance.Select(x => x * 1024)];

        Assert.Equal(Stored(type, values, importance), Stored(type, values, scaled));
    }

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_ImportanceThatIsUseless_CountsAllValuesAlike(string name)
    {
        QuantType type = Named(name);
        float[] values = Gaussian(256, seed: 25);

        Assert.Equal(Stored(type, values), Stored(type, values, new float[256]));
        Assert.All(Stored(type, values, [.. Enumerable.Range(0, 256).Select(i => i < 16 ? 1f : 0)]), x => Assert.True(float.IsFinite(x)));
    }

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_OddRows_StayNearTheValues(string name)
    {
        QuantType type = Named(name);
        float[] outlier = Gaussian(256, seed: 26);
        outlier[100] = 5;
        float[][] rows =
        [
            new float[256],
            [.. Enumerable.Repeat(0.25f, 256)],
            [.. Enumerable.Repeat(-0.25f, 256)],
            [.. Gaussian(256, seed: 27).Select(Math.Abs)],
            [.. Gaussian(256, seed: 28).Select(x => -Math.Abs(x))],
            [.. Gaussian(256, seed: 29).Select(x => x + 3)],
            [.. Enumerable.Range(0, 256).Select(i => i == 77 ? 1f : 0)],
            outlier,
            Gaussian(256, seed: 30, deviation: 15000),
            Gaussian(256, seed: 31, deviation: 1e-9f),
            Gaussian(256, seed: 32, deviation: 1e-30f),
        ];
        foreach (float[] row in rows)
        {
            float[] stored = Stored(type, row);
            double largest = row.Max(Math.Abs), worst = row.Zip(stored, (x, y) => Math.Abs((double)x - y)).Max();
            // The coarsest: four levels between the ends, so at most a third of the range and the rounding of its scale.
            Assert.True(worst <= 0.7 * largest + 1e-7, $"{name}: off by {worst} where the largest is {largest}");
            Assert.All(stored, x => Assert.True(float.IsFinite(x)));
        }
    }

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_Zeros_StayZero(string name) => Assert.All(Stored(Named(name), new float[256]), x => Assert.Equal(0, x));

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_ValuesOnTheGrid_AreKept(string name)
    {
        QuantType type = Named(name);
        float[] values = Stored(type, Gaussian(256 * 16, seed: 33));

        double error = Error(values, Stored(type, values)), square = values.Sum(x => (double)x * x);

        // The search may end beside a scale that is known to be exact, but not far from it.
        Assert.InRange(error / square, 0, type.BlockBytes * 8.0 / type.BlockLength < 4 ? 0.02 : 0.002);
    }

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_Repeated_AllocatesNothing(string name)
    {
        QuantType type = Named(name);
        float[] values = Gaussian(1024, seed: 34);
        byte[] row = new byte[type.RowBytes(1024)];
        type.EncodeRow(values, values, row);

        Assert.Equal(0, Allocation.OnThread(() =>
        {
            for (int i = 0; i < 20; i++) type.EncodeRow(values, values, row);
        }));
    }
}
