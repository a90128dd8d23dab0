using System.Security.Cryptography;
using System.Text;
using MambaRT.Bench;
using MambaRT.Formats;
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
        double bytes = shape.Record(shape.Metadata()).States.Bytes(0);
        Assert.InRange(bytes / (1 << 20), stateMiB - 0.06, stateMiB + 0.06);
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

    [Fact]
    public void LogitsCheck_Cancelled_EndsWithoutTheWork()
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(Small("mamba-130m"), "F32", folder["made.gguf"]);
        using IBackend backend = TestBackends.Create(TestBackends.Reference);
        using Model model = Model.Open(folder["made.gguf"], backend);
        Assert.Throws<OperationCanceledException>(() => LogitsCheck.Logits(model, new CancellationToken(canceled: true)));
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

    /// <summary>Speeds are compared over models made by other versions: the same seed gives the same file for good.</summary>
    [Theory]
    [InlineData("mamba", "F32", "1258ba9ffd2f9655c7f62d29c9810f91")]
    [InlineData("mamba", "Q4_K_M", "7023e0760f2bf0d1a77c3ec98138009f")]
    [InlineData("falcon", "F32", "c8208c2e940cc2504bfbb259400b0ed5")]
    [InlineData("falcon", "Q4_K_M", "1b56dcbdaf3b0d23a04e868460cbc1b5")]
    [InlineData("mamba2", "F32", "b420ed80cbc5136c1e8c1317931f1120")]
    [InlineData("mamba2", "Q4_K_M", "a60b88c76bc77580022021d2e4374496")]
    [InlineData("codestral", "F32", "786ed5571988c069a75ce3328d43fa98")]
    [InlineData("codestral", "Q4_K_M", "01eb0ef117108b6c66da4f4d0877846f")]
    public void Write_OneOfEachFamily_GivesTheBytesOfEarlierVersions(string shape, string type, string sha256)
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(Small(shape), type, folder["m"], seed: 3);
        Assert.StartsWith(sha256, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(folder["m"]))));
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
        "mamba" => new Mamba().Shape(name, 256, 2, vocabulary: 320),
        "falcon" => new Mamba().Shape(name, 256, 2, vocabulary: 320, tied: false, norms: true),
        "mamba2" => new Mamba2().Shape(name, 256, 2, dState: 32, vocabulary: 320),
        _ => new Mamba2().Shape(name, 256, 2, dState: 32, vocabulary: 320, tied: false, groups: 4),
    };

    private static float[] Logits(string path, string backendName)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using Model model = Model.Open(path, backend);
        using Session session = model.StartSession();
        return session.Feed([1, 200, 17]).ToArray();
    }
}
