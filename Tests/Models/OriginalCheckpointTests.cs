using System.Text.Json.Nodes;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Checkpoints as state-spaces and Mistral published them: other names, other configurations, PyTorch's container.</summary>
public class OriginalCheckpointTests
{
    // As for OracleTests: the weights are the same.
    private const float Bound = 1e-4f;

    public static TheoryData<string, string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string, string>();
            foreach (string backend in TestBackends.Names)
            {
                cases.Add(backend, "mamba", "mamba_nobias");
                cases.Add(backend, "mamba2", "mamba2_g1");
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Original_Converted_GivesThePublishedLogits(string backend, string checkpoint, string oracle)
    {
        using var converted = new ConvertedModel(ModelData.PathOf("checkpoints", checkpoint), QuantTypes.F32, backend);
        using SafetensorsFile golden = SafetensorsFile.Open(ModelData.PathOf("oracles", oracle, "golden.safetensors"));
        foreach (int length in (int[])[7, 70])
        {
            using Session session = converted.Model.StartSession();
            float[] expected = ModelData.Floats(golden, $"logits{length}");
            float error = ModelData.Distance(session.FeedAll(ModelData.Ints(golden, $"ids{length}")).ToArray(), expected) / ModelData.Scale(expected);
            Assert.True(error <= Bound, $"{checkpoint} on {backend}, {length} tokens: error {error:g3} of scale, bound {Bound:g3}");
        }
    }

    [Theory]
    [InlineData("mamba", "mamba_nobias")]
    [InlineData("mamba2", "mamba2_g1")]
    public void Original_Converted_HasTheTensorsOfItsTwin(string checkpoint, string oracle)
    {
        using var folder = new TemporaryFolder();
        var options = new ConversionOptions { Target = QuantTarget.F16 };
        ModelConverter.Convert(ModelData.PathOf("checkpoints", checkpoint), folder["original.gguf"], options);
        ModelConverter.Convert(ModelData.PathOf("oracles", oracle), folder["hub.gguf"], options);
        using GgufFile original = GgufFile.Open(folder["original.gguf"]), hub = GgufFile.Open(folder["hub.gguf"]);
        Assert.Equal(hub.Tensors.Select(t => t.Name), original.Tensors.Select(t => t.Name));
        foreach (GgufTensorInfo tensor in hub.Tensors)
        {
            Assert.True(original.TryGet(tensor.Name, out TensorView found) && hub.TryGet(tensor.Name, out TensorView expected) && found.Rows == expected.Rows, tensor.Name);
            for (int row = 0; row < found.Rows; row++) Assert.True(found.Row(row).SequenceEqual(Row(hub, tensor.Name, row)), tensor.Name);
        }
    }

    [Fact]
    public void Original_VocabularyBelowTheRows_IsPadded()
    {
        using CheckpointFolder folder = Original("mamba");
        folder.Set("vocab_size", 505);
        folder.Convert();
        using (GgufFile file = GgufFile.Open(folder.Output)) Assert.Equal(512, file.Metadata.GetInt32("mamba.vocab_size"));
        folder.Set("vocab_size", 504);
        Assert.Contains("504 are needed", Assert.Throws<FormatException>(() => folder.Convert()).Message, StringComparison.Ordinal);
        folder.Set("pad_vocab_size_multiple", 512);
        folder.Convert();
    }

    [Fact]
    public void Embedding_UnderBothNames_IsRefused()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Edit(tensors => tensors["backbone.embedding.weight"] = tensors["backbone.embeddings.weight"]);
        Assert.Contains("twice", Assert.Throws<FormatException>(() => folder.Convert()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Original_VariantsThatChangeTheResult_AreRefused()
    {
        Refuses("mamba", "rms_norm", false);
        Refuses("mamba", "attn_layer_idx", new JsonArray(1, 3));
        Refuses("mamba", "d_intermediate", 64);
        Refuses("mamba2", "layer", "Mamba3", inLayer: true);
        Refuses("mamba2", "norm_before_gate", true, inLayer: true);
        Refuses("mamba2", "rmsnorm", false, inLayer: true);
        Refuses("mamba2", "D_has_hdim", true, inLayer: true);
        Refuses("mamba2", "d_ssm", 64, inLayer: true);
        Refuses("mamba2", "dt_limit", new JsonArray(0.0, 0.1), inLayer: true);
    }

    [Fact]
    public void Mistral_OwnLayout_IsTheSameModel()
    {
        using var folder = new CheckpointFolder("mamba2");   // two groups; its projections have biases, which Mistral's layout cannot say
        Unbias(folder, "model.safetensors");
        folder.Set("use_bias", false);
        folder.Set("norm_before_gate", true);   // as Mamba-Codestral's config.json has it, and as transformers ignores
        folder.Convert(name: "same");
        byte[] expected = File.ReadAllBytes(folder.Output);

        folder.Edit(tensors =>
        {
            foreach (string name in tensors.Keys.ToArray())
            {
                string original = "model." + name.Replace("embeddings", "embedding");
                tensors[original] = tensors[name];
                tensors.Remove(name);
            }
        });
        File.Move(folder.PathOf("model.safetensors"), folder.PathOf("consolidated.safetensors"));
        folder.Convert(name: "same");
        Assert.Equal(expected, File.ReadAllBytes(folder.Output));

        folder.Write("params.json", """{"dim": 64, "n_layers": 3, "vocab_size": 512, "n_groups": 2, "rms_norm": true, "residual_in_fp32": true, "fused_add_norm": true, "pad_vocab_size_multiple": 1, "tie_embeddings": true, "model_type": "mamba", "headdim": 16, "d_state": 16}""");
        File.Delete(folder.PathOf("config.json"));
        ConversionReport report = folder.Convert(name: "same");
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal((2, 8), (file.Metadata.GetInt32("mamba2.ssm.group_count"), file.Metadata.GetInt32("mamba2.ssm.time_step_rank")));
        Assert.Equal("mamba2", report.Architecture);
    }

    private static void Unbias(CheckpointFolder folder, string file) => folder.Edit(tensors =>
    {
        foreach (string name in tensors.Keys.Where(name => name.EndsWith("_proj.bias", StringComparison.Ordinal)).ToArray()) tensors.Remove(name);
    }, file);

    private static ReadOnlySpan<byte> Row(GgufFile file, string name, int row) => file.TryGet(name, out TensorView view) ? view.Row(row) : [];

    private static CheckpointFolder Original(string name)
    {
        var folder = new CheckpointFolder("mamba_nobias");
        foreach (string file in (string[])["model.safetensors", "generation_config.json", "config.json"]) File.Delete(folder.PathOf(file));
        foreach (string file in (string[])["pytorch_model.bin", "config.json"]) File.Copy(ModelData.PathOf("checkpoints", name, file), folder.PathOf(file));
        return folder;
    }

    private static void Refuses(string checkpoint, string key, JsonNode value, bool inLayer = false)
    {
        using CheckpointFolder folder = Original(checkpoint);
        if (inLayer)
        {
            JsonObject layer = JsonNode.Parse(File.ReadAllText(folder.PathOf("config.json")))!["ssm_cfg"]!.DeepClone().AsObject();
            layer[key] = value;
            folder.Set("ssm_cfg", layer);
        }
        else folder.Set(key, value);
        Assert.Contains($"'{key}'", Assert.Throws<NotSupportedException>(() => folder.Convert()).Message, StringComparison.Ordinal);
    }
}
