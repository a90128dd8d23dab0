using System.Text;
using MambaRT.Bench;
using MambaRT.Formats;
using MambaRT.Runtime;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Models made for measuring are ordinary files with the published sizes.</summary>
public sealed class ModelMakerTests
{
    /// <summary>Small shapes of each kind, in every type.</summary>
    public static TheoryData<string, string> Models
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (string shape in new[] { "mamba", "falcon", "mamba2", "codestral" })
                foreach (string type in ModelMaker.Types) rows.Add(shape, type);
            return rows;
        }
    }

    [Theory]
    [InlineData("mamba-130m", 129_135_360, 2.67)]
    [InlineData("mamba-370m", 371_516_416, 7.12)]
    [InlineData("mamba-790m", 793_204_224, 10.69)]
    [InlineData("mamba-1.4b", 1_372_178_432, 14.25)]
    [InlineData("mamba-2.8b", 2_768_345_600, 23.75)]
    [InlineData("mamba2-130m", 128_989_632, 18.49)]
    [InlineData("mamba2-370m", 0, 49.3)]
    [InlineData("mamba2-780m", 0, 73.8)]
    [InlineData("mamba2-1.3b", 0, 98.4)]
    [InlineData("mamba2-2.7b", 0, 163.9)]
    [InlineData("falcon-mamba-7b", 7_272_665_088, 38.0)]
    [InlineData("codestral-mamba-7b", 7_285_403_648, 263.5)]
    public void Shape_OfAPublishedModel_HasItsParametersAndState(string name, long parameters, double stateMiB)
    {
        ModelShape shape = ModelShape.ByName(name)!;   // the names are those of the table
        if (parameters > 0) Assert.Equal(parameters, shape.Parameters);
        double floats = shape.Layers * (double)((ModelShape.DConv - 1) * shape.ConvChannels + shape.DInner * shape.DState);
        Assert.InRange(floats * 4 / (1 << 20), stateMiB - 0.06, stateMiB + 0.06);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Write_AnyShapeAndType_RunsAlikeOnEveryBackend(string shapeName, string type)
    {
        using var folder = new TemporaryFolder();
        ModelShape shape = Small(shapeName);
        string path = folder["made.gguf"];
        ModelMaker.Write(shape, type, path);
        using (GgufFile file = GgufFile.Open(path))
            Assert.Equal(shape.Parameters, file.Tensors.Sum(t => t.Dimensions.Aggregate(1L, (a, b) => a * b)));

        float[] expected = Logits(path, TestBackends.Reference), actual = Logits(path, "cpu");
        Assert.All(expected, value => Assert.True(float.IsFinite(value)));
        double deviation = Math.Sqrt(expected.Average(v => v * v));
        Assert.InRange(deviation, 0.05, 5);
        double nmse = LogitsCheck.Nmse(actual, expected), bound = type is "F32" or "F16" or "BF16" ? 1e-6 : 1e-3;
        Assert.True(nmse <= bound, $"NMSE {nmse:g3}, at most {bound:g3} is allowed.");
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("Q8_0")]
    [InlineData("Q4_0")]
    [InlineData("Q5_0")]
    [InlineData("Q5_1")]
    [InlineData("Q4_K")]
    [InlineData("Q5_K")]
    [InlineData("Q6_K")]
    public void RandomBlocks_OfAnyType_DecodeToTheDeviationAskedFor(string type)
    {
        const double Deviation = 0.02;
        QuantType quant = QuantTypes.ByName(type)!;   // the names are those of the table
        var blocks = new RandomBlocks(quant, Deviation, new RandomBits(7));
        byte[] row = new byte[quant.RowBytes(1 << 16)];
        blocks.Fill(row);
        var values = new float[1 << 16];
        quant.DecodeRow(row, values);
        Assert.InRange(Math.Sqrt(values.Average(v => (double)v * v)), 0.93 * Deviation, 1.07 * Deviation);
        Assert.InRange(values.Average(v => (double)v), -0.03 * Deviation, 0.03 * Deviation);
    }

    [Fact]
    public void Write_SameSeed_GivesTheSameFile()
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(Small("mamba"), "Q4_K_M", folder["a"], seed: 5);
        ModelMaker.Write(Small("mamba"), "Q4_K_M", folder["b"], seed: 5);
        ModelMaker.Write(Small("mamba"), "Q4_K_M", folder["c"], seed: 6);
        Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));
        Assert.NotEqual(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["c"]));
    }

    [Fact]
    public void Write_MixedType_FollowsTheFallbacksOfTheQuantizer()
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(Small("falcon"), "Q4_K_M", folder["m.gguf"]);
        using GgufFile file = GgufFile.Open(folder["m.gguf"]);
        string TypeOf(string name) => file.Tensors.Single(t => t.Name == name).Type.Name;
        Assert.Equal("Q4_K", TypeOf("token_embd.weight"));
        Assert.Equal("Q6_K", TypeOf("output.weight"));
        Assert.Equal("Q4_K", TypeOf("blk.0.ssm_in.weight"));
        Assert.Equal("F16", TypeOf("blk.0.ssm_dt.weight"));   // 16 columns
        Assert.Equal("F32", TypeOf("blk.0.ssm_a"));
    }

    [Fact]
    public void Write_AnyShape_SpellsTextByItsVocabulary()
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(Small("mamba"), "Q8_0", folder["m.gguf"]);
        using GgufFile file = GgufFile.Open(folder["m.gguf"]);
        ITokenizer tokenizer = Tokenizer.Create(file.Metadata);
        int[] tokens = tokenizer.Encode("a tü", parseSpecial: false);
        Assert.Equal(4, tokens.Length);   // "a", the merged " t", and two bytes
        Assert.Equal("a tü", Encoding.UTF8.GetString([.. tokens.SelectMany(t => tokenizer.Decode(t, renderSpecial: false).ToArray())]));
    }

    private static ModelShape Small(string name) => name switch
    {
        "mamba" => new ModelShape(name, "mamba", 256, 2, 16, 320),
        "falcon" => new ModelShape(name, "mamba", 256, 2, 16, 320, Tied: false, DtBCNorm: true),
        "mamba2" => new ModelShape(name, "mamba2", 256, 2, 32, 320),
        _ => new ModelShape(name, "mamba2", 256, 2, 32, 320, Tied: false, Groups: 4),
    };

    private static float[] Logits(string path, string backendName)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using Model model = Model.Open(path, backend);
        using Session session = model.StartSession();
        return session.Feed([1, 200, 17]).ToArray();
    }
}
