using MambaRT.Bench;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>An architecture that was added by one file goes through everything: its MLP's matrices are converted, quantized and made as its definition says.</summary>
public sealed class MlpArchitectureTests
{
    private static readonly string[] Matrices = ["ffn_gate", "ffn_up", "ffn_down", "ssm_in", "ssm_out"];

    public static TheoryData<string> Targets => [.. QuantTarget.All.Where(t => t.Type.BlockLength > 1).Select(t => t.Name)];

    private static ModelShape Shape => TinyModels.Architectures.Single(a => a.Id == "mlp").Published[0];

    [Theory, MemberData(nameof(Targets))]
    public void Quantize_Mlp_IsStoredAsTheMixersProjectionsAre(string target)
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(Shape, "F32", folder["f32.gguf"]);
        using GgufFile file = GgufFile.Open(folder["f32.gguf"]);
        foreach (QuantPolicy policy in Enum.GetValues<QuantPolicy>())
        {
            var options = new QuantizationOptions { Target = QuantTarget.ByName(target)!, Policy = policy, Architectures = TinyModels.Architectures };

            Dictionary<string, QuantType> stored = Quantizer.Plan(file, options).Tensors.ToDictionary(t => t.Source.Name, t => t.Stored);

            for (int i = 0; i < 2; i++)
            {
                Assert.Equal(stored[$"blk.{i}.ssm_in.weight"], stored[$"blk.{i}.ffn_gate.weight"]);
                Assert.Equal(stored[$"blk.{i}.ssm_in.weight"], stored[$"blk.{i}.ffn_up.weight"]);
                Assert.Equal(stored[$"blk.{i}.ssm_out.weight"], stored[$"blk.{i}.ffn_down.weight"]);
                Assert.All(Matrices, m => Assert.True(stored[$"blk.{i}.{m}.weight"].BlockLength > 1, m));
                Assert.Equal(QuantTypes.F32, stored[$"blk.{i}.ffn_norm.weight"]);
            }
            if (target == "Q8_0") Assert.All(Matrices, m => Assert.Equal(QuantTypes.Q8_0, stored[$"blk.1.{m}.weight"]));
        }
    }

    [Fact]
    public void Convert_AndQuantize_GiveTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        IReadOnlyList<Architecture> among = TinyModels.Architectures;
        TinyModels.WriteFile(folder["tiny.gguf"], "mlp", QuantTypes.F32);
        Assert.Equal("mamba2_mlp", ModelExporter.Export(folder["tiny.gguf"], folder["hub"], new ExportOptions { Architectures = among }).ModelType);
        ModelConverter.Convert(folder["hub"], folder["f32.gguf"], new ConversionOptions { Target = QuantTarget.ByName("F32")!, Architectures = among });
        ModelConverter.Convert(folder["hub"], folder["q8.gguf"], new ConversionOptions { Target = QuantTarget.ByName("Q8_0")!, Architectures = among });
        var options = new QuantizationOptions { Target = QuantTarget.ByName("Q8_0")!, Architectures = among };

        using (GgufFile file = GgufFile.Open(folder["f32.gguf"])) Quantizer.Write(file, Quantizer.Plan(file, options), folder["quantized.gguf"], options);

        Assert.Equal(File.ReadAllBytes(folder["q8.gguf"]), File.ReadAllBytes(folder["quantized.gguf"]));
        using GgufFile made = GgufFile.Open(folder["q8.gguf"]);
        foreach (string matrix in Matrices) Assert.Equal(QuantTypes.Q8_0, made.Tensors.Single(t => t.Name == $"blk.1.{matrix}.weight").Type);
    }

    [Theory]
    [InlineData("Q8_0", "Q8_0")]
    [InlineData("Q4_K_M", "Q4_K")]
    public void Make_Mlp_RunsAlikeOnEveryBackendAndFollowsTheType(string type, string stored)
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(Shape, type, folder["made.gguf"]);

        using GgufFile file = GgufFile.Open(folder["made.gguf"]);
        foreach (string matrix in Matrices) Assert.Equal(stored, file.Tensors.Single(t => t.Name == $"blk.0.{matrix}.weight").Type.Name);
        Assert.Equal(Shape.Parameters, file.Tensors.Sum(t => (long)t.Rows * t.Columns));
        float[] expected = Logits(folder["made.gguf"], TestBackends.Reference);
        Assert.InRange(LogitsCheck.Nmse(Logits(folder["made.gguf"], "cpu"), expected), 0, 1e-3);
    }

    [Fact]
    public void Quantize_TensorThatThePlanDoesNotRead_IsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteFile(folder["extra.gguf"], "mamba2-g1", QuantTypes.F32, extra: "blk.0.ffn_up.weight");
        using GgufFile file = GgufFile.Open(folder["extra.gguf"]);

        string message = Assert.Throws<NotSupportedException>(() => Quantizer.Plan(file, new QuantizationOptions { Target = QuantTarget.ByName("Q8_0")! })).Message;

        Assert.Contains("'blk.0.ffn_up.weight'", message);
    }

    private static float[] Logits(string path, string backendName)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using Model model = Model.Open(path, backend, new ModelOptions { Architectures = TinyModels.Architectures });
        using Session session = model.StartSession();
        return session.Feed([1, 200, 17]).ToArray();
    }
}
