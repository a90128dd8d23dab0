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

    [Fact]
    public void Convert_RulesInAnotherOrderAndABiasThatIsAlwaysThere_FindsEmbeddingAndTiedHead()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteFile(folder["tiny.gguf"], "mlp", QuantTypes.F32);
        ModelExporter.Export(folder["tiny.gguf"], folder["hub"], new ExportOptions { Architectures = TinyModels.Architectures });
        AddTiedHead(folder["hub/model.safetensors"]);

        ConversionReport report = ModelConverter.Convert(folder["hub"], folder["again.gguf"], new ConversionOptions { Target = QuantTarget.ByName("F32")!, Architectures = [new Reordered()] });

        using GgufFile before = GgufFile.Open(folder["tiny.gguf"]), after = GgufFile.Open(folder["again.gguf"]);
        Assert.Equal(before.Tensors.Select(t => t.Name).Order(), after.Tensors.Select(t => t.Name).Order());
        Assert.DoesNotContain(report.Notes, note => note.Contains("llama.cpp", StringComparison.Ordinal));   // which does not know this network
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

    /// <summary>The same network with its rules in another order, and no rule that asks config.json whether there is a bias.</summary>
    private sealed class Reordered : Architecture
    {
        private readonly MlpArchitecture _same = new();

        public override string Id => _same.Id;

        public override string Title => _same.Title;

        public override ImportRules Import => new()
        {
            ModelTypes = _same.Import.ModelTypes,
            Tensors = [.. _same.Import.Tensors.Reverse().Where(r => r.Presence != TensorPresence.ProjectionBias)
                .Select(r => r.Presence == TensorPresence.ConvolutionBias ? r with { Presence = TensorPresence.Always } : r)],
            WriteKeys = _same.Import.WriteKeys,
            WriteConfig = _same.Import.WriteConfig,
        };

        public override IReadOnlyList<ModelShape> Published => [];

        public override Activation Define(PlanBuilder p) => _same.Define(p);
    }

    private static void AddTiedHead(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path, copyToMemory: true);
        var writer = new SafetensorsWriter();
        foreach (CheckpointTensor tensor in file.Tensors) Add(tensor.Name, tensor);
        Add("lm_head.weight", file.Find("backbone.embeddings.weight")!);   // every checkpoint of this network has it
        using FileStream stream = File.Create(path);
        writer.WriteTo(stream);

        void Add(string name, CheckpointTensor tensor) =>
            writer.AddTensor(name, QuantTypes.ByName(tensor.DType)!, [.. tensor.Shape], to => to.Write(file.Bytes(tensor.Name)));   // F32, as it was exported
    }

    private static float[] Logits(string path, string backendName)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using Model model = Model.Open(path, backend, new ModelOptions { Architectures = TinyModels.Architectures });
        using Session session = model.StartSession();
        return session.Feed([1, 200, 17]).ToArray();
    }
}
