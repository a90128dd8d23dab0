using System.Text.Json;
using MambaRT.Cli;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Checkpoints made of GGUF files: what comes back is what was there.</summary>
public class ExporterTests
{
    public static TheoryData<string> Oracles => ["mamba", "mamba_nobias", "mamba2", "mamba2_g1", "falcon_mamba"];

    public static TheoryData<string> Tiny => [.. TinyModels.Names];

    [Theory]
    [MemberData(nameof(Oracles))]
    public void Checkpoint_ThereAndBack_HasTheSameTensorsAndSettings(string oracle)
    {
        using var folder = new CheckpointFolder(oracle);
        folder.Convert(QuantTypes.F32);
        ExportReport report = ModelExporter.Export(folder.Output, folder.PathOf("back"), new ExportOptions());
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors"], report.Files);
        using SafetensorsFile before = SafetensorsFile.Open(folder.PathOf("model.safetensors")), after = SafetensorsFile.Open(folder.PathOf("back/model.safetensors"));
        Assert.Equal(before.Tensors.Select(t => t.Name).Order(StringComparer.Ordinal), after.Tensors.Select(t => t.Name).Order(StringComparer.Ordinal));
        foreach (CheckpointTensor tensor in before.Tensors)
        {
            Assert.Equal(tensor.Shape, after.Find(tensor.Name)!.Shape);
            float[] expected = ModelData.Floats(before, tensor.Name), found = ModelData.Floats(after, tensor.Name);
            if (tensor.Name.EndsWith("A_log", StringComparison.Ordinal)) AssertLogarithms(expected, found);
            else Assert.Equal(expected, found);
        }
        AssertSameSettings(folder.PathOf("config.json"), folder.PathOf("back/config.json"));
        AssertSameSettings(folder.PathOf("generation_config.json"), folder.PathOf("back/generation_config.json"));
    }

    [Theory]
    [MemberData(nameof(Oracles))]
    public void File_ThereAndBack_HasTheSameBytes(string oracle)
    {
        foreach (QuantType type in (QuantType[])[QuantTypes.F32, QuantTypes.F16, QuantTypes.BF16])
        {
            using var folder = new CheckpointFolder(oracle);
            folder.Convert(type, "same");
            ModelExporter.Export(folder.Output, folder.PathOf("back"), new ExportOptions());
            ModelConverter.Convert(folder.PathOf("back"), folder.PathOf("again.gguf"), new ConversionOptions { Target = QuantTarget.ByName(type.Name)!, Name = "same" });
            Assert.Equal(File.ReadAllBytes(folder.Output), File.ReadAllBytes(folder.PathOf("again.gguf")));
        }
    }

    [Theory]
    [MemberData(nameof(Tiny))]
    public void Model_ThereAndBack_GivesTheSameLogits(string name)
    {
        foreach (QuantType type in (QuantType[])[QuantTypes.F32, QuantTypes.F16, QuantTypes.Q8_0])
        {
            using var folder = new TemporaryFolder();
            TinyModels.WriteFile(folder["a.gguf"], name, type);
            ModelExporter.Export(folder["a.gguf"], folder["hub"], new ExportOptions { Type = QuantTypes.F32 });
            ModelConverter.Convert(folder["hub"], folder["b.gguf"], new ConversionOptions { Target = QuantTarget.ByName(type.Name)! });
            float[] expected = Logits(folder["a.gguf"]), found = Logits(folder["b.gguf"]);
            // A of these models is no exponential of a float32, so it may come back one unit off in the last place; and where the type is
            // quantized, their narrow dt projections, F32 here, are converted to F16.
            float error = ModelData.Distance(found, expected) / ModelData.Scale(expected), bound = type == QuantTypes.Q8_0 ? 1e-3f : 1e-5f;
            Assert.True(error <= bound, $"{name} as {type}: error {error:g3} of scale, bound {bound:g3}");
        }
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("F32")]
    [InlineData(null)]
    public void Type_OfAQuantizedModel_IsTheOneAskedForOrF16(string? type)
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        folder.Convert(QuantTypes.Q8_0);
        ModelExporter.Export(folder.Output, folder.PathOf("back"), new ExportOptions { Type = type is null ? null : QuantTypes.ByName(type) });
        using SafetensorsFile after = SafetensorsFile.Open(folder.PathOf("back/model.safetensors"));
        Assert.Equal(type ?? "F16", after.Find("backbone.layers.0.mixer.in_proj.weight")!.DType);
        Assert.Equal("F32", after.Find("backbone.layers.0.mixer.A_log")!.DType);
        using GgufFile before = GgufFile.Open(folder.Output);
        if (type != "F32") return;
        foreach (string name in (string[])["token_embd.weight", "blk.1.ssm_in.weight"])
        {
            Assert.True(before.TryGet(name, out TensorView quantized));
            Assert.True(after.TryGet(name == "token_embd.weight" ? "backbone.embeddings.weight" : "backbone.layers.1.mixer.in_proj.weight", out TensorView plain));
            float[] expected = new float[quantized.Columns], found = new float[quantized.Columns];
            for (int row = 0; row < quantized.Rows; row++)
            {
                quantized.DecodeRow(row, expected);
                plain.DecodeRow(row, found);
                Assert.Equal(expected, found);
            }
        }
    }

    [Fact]
    public void Logarithm_OfEveryUsualA_ComesBackExactly()
    {
        var random = new Random(3);
        for (int i = 0; i < 100_000; i++)
        {
            float logarithm = (random.NextSingle() - 0.4f) * 20;
            Assert.Equal(Logarithm.ToA(logarithm), Logarithm.ToA(Logarithm.OfA(Logarithm.ToA(logarithm))));
        }
        Assert.True(float.IsNaN(Logarithm.OfA(1)));
    }

    [Fact]
    public void Expand_OfEveryWidth_GivesTheChannelsAgain()
    {
        foreach (int dModel in (int[])[7, 96, 384, 2560])
            for (int dInner = 1; dInner < 1000; dInner++)
                Assert.Equal(dInner, (int)(Backbone.Expand(dModel, dInner) * dModel));
    }

    [Fact]
    public void Folder_ThatHasFiles_IsKeptUnlessTheyMayBeReplaced()
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        folder.Convert(QuantTypes.F16);
        Directory.CreateDirectory(folder.PathOf("back"));
        folder.Write("back/config.json", "older");
        folder.Write("back/notes.txt", "mine");
        Assert.Contains("not empty", Assert.Throws<IOException>(() => ModelExporter.Export(folder.Output, folder.PathOf("back"), new ExportOptions())).Message, StringComparison.Ordinal);
        Assert.Equal("older", File.ReadAllText(folder.PathOf("back/config.json")));
        ModelExporter.Export(folder.Output, folder.PathOf("back"), new ExportOptions { Replace = true });
        Assert.StartsWith("{", File.ReadAllText(folder.PathOf("back/config.json")), StringComparison.Ordinal);
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors", "notes.txt"], Directory.GetFileSystemEntries(folder.PathOf("back")).Select(f => Path.GetFileName(f)).Order());
        folder.Write("file", "");
        Assert.Throws<IOException>(() => ModelExporter.Export(folder.Output, folder.PathOf("file"), new ExportOptions()));
        Assert.Throws<DirectoryNotFoundException>(() => ModelExporter.Export(folder.Output, folder.PathOf("no/back"), new ExportOptions()));
    }

    [Fact]
    public void Failure_WhileWriting_LeavesNothingBehind()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteFile(folder["a.gguf"], "mamba-tied", QuantTypes.F32);
        using var cancel = new CancellationTokenSource();
        var stop = new AtEach(cancel.Cancel);
        Assert.ThrowsAny<OperationCanceledException>(() => ModelExporter.Export(folder["a.gguf"], folder["hub"], new ExportOptions(), stop, cancel.Token));
        Assert.Equal(["a.gguf"], folder.Files);
        Assert.Empty(Directory.GetDirectories(folder["."]));
    }

    [Fact]
    public void Model_ThatHasNoCheckpoint_IsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteFile(folder["extra.gguf"], "mamba-tied", QuantTypes.F32, extra: "blk.0.more");
        Assert.Contains("'blk.0.more'", Assert.Throws<FormatException>(() => ModelExporter.Export(folder["extra.gguf"], folder["hub"], new ExportOptions())).Message, StringComparison.Ordinal);

        var writer = new GgufWriter(TinyModels.Metadata("mamba-tied"));
        using TinyWeights model = TinyModels.Make("mamba-tied", QuantTypes.F32, tensor => tensor.Name == "blk.1.ssm_a" ? tensor with { Low = 1, High = 2 } : tensor);
        foreach (TinyTensor tensor in TinyModels.Tensors("mamba-tied"))
        {
            Assert.True(model.Weights.TryGet(tensor.Name, out TensorView view));
            writer.AddTensor(tensor.Name, view.Type, [tensor.Columns, tensor.Rows], stream =>
            {
                for (int row = 0; row < view.Rows; row++) stream.Write(view.Row(row));
            });
        }
        writer.Write(folder["positive.gguf"]);
        Assert.Contains("'blk.1.ssm_a', as log(-A), holds NaN", Assert.Throws<FormatException>(() => ModelExporter.Export(folder["positive.gguf"], folder["hub"], new ExportOptions())).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["hub"]));
        Assert.Throws<ArgumentException>(() => ModelExporter.Export(folder["extra.gguf"], folder["hub"], new ExportOptions { Type = QuantTypes.Q8_0 }));
    }

    [Fact]
    public void StoryModel_ThereAndBack_KeepsVocabularyTemplateAndSampling()
    {
        using var folder = new TemporaryFolder();
        string story = ModelData.PathOf("models", DefaultModel.FileName);
        ExportReport report = ModelExporter.Export(story, folder["hub"], new ExportOptions());
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"], report.Files);
        ModelConverter.Convert(folder["hub"], folder["back.gguf"], new ConversionOptions { Target = QuantTarget.ByName("Q8_0")! });
        using GgufFile before = GgufFile.Open(story), after = GgufFile.Open(folder["back.gguf"]);
        foreach ((string key, GgufValue value) in before.Metadata.Entries)
        {
            if (key.StartsWith("general.", StringComparison.Ordinal) && !key.StartsWith("general.sampling.", StringComparison.Ordinal)) continue;
            Assert.True(after.Metadata.TryGet(key, out GgufValue found), key);
            Assert.Equal(value.Value, found.Value);
        }
    }

    /// <summary>
    /// A is rounded once to float32, which moves its logarithm by up to 2^-24; that is below a unit in the last place of logarithms
    /// beyond 1 in magnitude, and the search for the neighbour that gives A exactly may add one.
    /// </summary>
    private static void AssertLogarithms(float[] expected, float[] found)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            float unit = MathF.Max(MathF.BitIncrement(MathF.Abs(expected[i])) - MathF.Abs(expected[i]), MathF.ScaleB(1, -23));
            Assert.InRange(found[i], expected[i] - unit, expected[i] + unit);
            Assert.Equal(Logarithm.ToA(expected[i]), Logarithm.ToA(found[i]));
        }
    }

    /// <summary>Every key that the export writes has the value that the original had.</summary>
    private static void AssertSameSettings(string before, string after)
    {
        using JsonDocument original = JsonDocument.Parse(File.ReadAllText(before)), exported = JsonDocument.Parse(File.ReadAllText(after));
        foreach (JsonProperty key in exported.RootElement.EnumerateObject())
            if (original.RootElement.TryGetProperty(key.Name, out JsonElement value)) Assert.True(JsonElement.DeepEquals(value, key.Value), $"{key.Name}: {key.Value} was {value}");
        Assert.True(exported.RootElement.EnumerateObject().Any());
    }

    private static float[] Logits(string path)
    {
        using IBackend backend = TestBackends.Create(TestBackends.Reference);
        using Model model = Model.Open(path, backend, new ModelOptions { CopyToMemory = true });
        using Session session = model.StartSession();
        return session.FeedAll(TinyModels.Tokens(20)).ToArray();
    }

    private sealed class AtEach(Action action) : IProgress<(int Done, int Total, string Tensor)>
    {
        public void Report((int Done, int Total, string Tensor) value) => action();
    }
}
