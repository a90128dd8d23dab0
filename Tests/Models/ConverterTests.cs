using System.Text.Json.Nodes;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What a conversion writes, and what it refuses.</summary>
public class ConverterTests
{
    private const string InProjection = "backbone.layers.1.mixer.in_proj.weight";

    [Fact]
    public void Convert_Twice_GivesTheSameBytes()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Convert(QuantTypes.Q8_0);
        byte[] first = File.ReadAllBytes(folder.Output);
        folder.Convert(QuantTypes.Q8_0);
        Assert.Equal(first, File.ReadAllBytes(folder.Output));
    }

    [Fact]
    public void Convert_Mamba_WritesTheArchitecturesKeys()
    {
        using var folder = new CheckpointFolder("falcon_mamba");
        folder.Convert(QuantTypes.F16, "A falcon");
        using GgufFile file = GgufFile.Open(folder.Output);
        GgufMetadata keys = file.Metadata;
        Assert.Equal("mamba", keys.GetString("general.architecture"));
        Assert.Equal("A falcon", keys.GetString("general.name"));
        Assert.Equal((1, 2), (keys.GetInt32("general.file_type"), keys.GetInt32("general.quantization_version")));
        Assert.Equal((64, 3, 128), (keys.GetInt32("mamba.embedding_length"), keys.GetInt32("mamba.block_count"), keys.GetInt32("mamba.ssm.inner_size")));
        Assert.Equal((16, 4, 6), (keys.GetInt32("mamba.ssm.state_size"), keys.GetInt32("mamba.ssm.conv_kernel"), keys.GetInt32("mamba.ssm.time_step_rank")));
        Assert.Equal((1e-5f, 1e-6f), (keys.GetFloat("mamba.attention.layer_norm_rms_epsilon"), keys.GetFloat("mamba.ssm.dt_b_c_rms_epsilon")));
        Assert.True(keys.TryGetBool("mamba.ssm.dt_b_c_rms"));
        Assert.Equal("no_vocab", keys.GetString("tokenizer.ggml.model"));
        Assert.Equal(512, keys.GetInt32("mamba.vocab_size"));
    }

    [Fact]
    public void Convert_Mamba2_WritesHeadsGroupsAndShapes()
    {
        using var folder = new CheckpointFolder("mamba2");
        ConversionReport report = folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal((8, 2), (file.Metadata.GetInt32("mamba2.ssm.time_step_rank"), file.Metadata.GetInt32("mamba2.ssm.group_count")));
        Assert.Equal([1L, 8], Dimensions(file, "blk.0.ssm_a"));
        Assert.Equal([1L, 8], Dimensions(file, "blk.0.ssm_d"));
        Assert.Equal([64L, 2], Dimensions(file, "blk.0.ssm_norm.weight"));
        Assert.Equal([4L, 192], Dimensions(file, "blk.0.ssm_conv1d.weight"));
        Assert.Contains(report.Notes, note => note.Contains("llama.cpp", StringComparison.Ordinal));   // it has projection biases
    }

    /// <summary>Mamba2Config of transformers has 8 groups where config.json names none.</summary>
    [Fact]
    public void Convert_Mamba2WithoutGroups_HasEight()
    {
        using var folder = new CheckpointFolder("mamba2");
        folder.Set("n_groups", null);
        folder.Edit(tensors =>
        {
            // Eight heads of 16 and eight groups of 16 states: 128 channels and 2 · 8 · 16 of B and C, where two groups had 2 · 2 · 16.
            foreach (string name in tensors.Keys.ToArray())
            {
                (long[] shape, float[] values) = tensors[name];
                long more = name.Contains("conv1d", StringComparison.Ordinal) || name.Contains("in_proj", StringComparison.Ordinal) ? 2 * (8 - 2) * 16 : 0;
                if (more == 0) continue;
                long width = values.Length / shape[0];
                tensors[name] = ([shape[0] + more, .. shape[1..]], [.. values, .. new float[more * width]]);
            }
        });
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal(8, file.Metadata.GetInt32("mamba2.ssm.group_count"));
        Assert.Equal([16L, 8], Dimensions(file, "blk.0.ssm_norm.weight"));
    }

    [Fact]
    public void Convert_Logarithms_BecomeNegativeExponentials()
    {
        using var folder = new CheckpointFolder("mamba");
        float[] logarithms = [];
        folder.Edit(tensors => logarithms = tensors["backbone.layers.0.mixer.A_log"].Values);
        folder.Convert(QuantTypes.Q8_0);
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.True(file.TryGet("blk.0.ssm_a", out TensorView a));
        Assert.Equal(QuantTypes.F32, a.Type);
        var found = new float[logarithms.Length];
        for (int row = 0; row < a.Rows; row++) a.DecodeRow(row, found.AsSpan(row * a.Columns, a.Columns));
        Assert.Equal(logarithms.Select(x => (float)-Math.Exp(x)), found);
    }

    [Fact]
    public void Convert_AsQ8_0_QuantizesProjectionsOnlyAndReportsNarrowOnes()
    {
        using var folder = new CheckpointFolder("mamba");
        ConversionReport report = folder.Convert(QuantTypes.Q8_0);
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal(report.Tensors, file.Tensors.Count);
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            bool projects = tensor.Name == "token_embd.weight" || (tensor.Name.EndsWith(".weight", StringComparison.Ordinal) && tensor.Dimensions.Count == 2 && !tensor.Name.Contains("conv", StringComparison.Ordinal));
            QuantType expected = !projects ? QuantTypes.F32 : tensor.Name.Contains("ssm_dt", StringComparison.Ordinal) ? QuantTypes.F16 : QuantTypes.Q8_0;
            Assert.True(expected == tensor.Type, $"{tensor.Name} is {tensor.Type}, not {expected}");
        }
        Assert.Equal(["blk.0.ssm_dt.weight", "blk.1.ssm_dt.weight", "blk.2.ssm_dt.weight"], report.StoredOtherwise.Select(t => t.Tensor));
        Assert.All(report.StoredOtherwise, t => Assert.Equal((6, QuantTypes.Q8_0, QuantTypes.F16), (t.Columns, t.Asked, t.Stored)));
        Assert.Equal(new FileInfo(folder.Output).Length, report.FileBytes);
    }

    [Fact]
    public void Convert_Head_IsLeftOutOnlyIfItIsTheEmbedding()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Set("tie_word_embeddings", false);
        folder.Edit(tensors => tensors["lm_head.weight"] = tensors["backbone.embeddings.weight"]);
        folder.Convert();
        using (GgufFile same = GgufFile.Open(folder.Output)) Assert.False(same.TryGet("output.weight", out _));
        folder.Edit(tensors => tensors["lm_head.weight"].Values[77] += 1);
        foreach (bool tied in (bool[])[false, true])
        {
            folder.Set("tie_word_embeddings", tied);
            ConversionReport report = folder.Convert();
            using GgufFile other = GgufFile.Open(folder.Output);
            Assert.True(other.TryGet("output.weight", out _));
            Assert.Equal(tied, report.Notes.Any(note => note.Contains("'lm_head.weight'", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void Convert_WithoutConvolutionBias_RunsWithoutIt()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Set("use_conv_bias", false);
        Refuses<FormatException>(folder, "backbone.layers.0.mixer.conv1d.bias");
        folder.Edit(tensors =>
        {
            foreach (string name in tensors.Keys.Where(name => name.EndsWith("conv1d.bias", StringComparison.Ordinal)).ToArray()) tensors.Remove(name);
        });
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.False(file.TryGet("blk.0.ssm_conv1d.bias", out _));
    }

    [Fact]
    public void Convert_ReportsEveryTensorOnce()
    {
        using var folder = new CheckpointFolder("mamba");
        var seen = new Recorder();
        ConversionReport report = ModelConverter.Convert(folder.PathOf("."), folder.Output, new ConversionOptions(), seen);
        Assert.Equal(Enumerable.Range(1, report.Tensors), seen.Reports.Select(r => r.Done));
        Assert.All(seen.Reports, r => Assert.Equal(report.Tensors, r.Total));
        Assert.Equal("token_embd.weight", seen.Reports[0].Tensor);
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal(Path.GetFileName(Path.GetDirectoryName(folder.Output)), file.Metadata.GetString("general.name"));   // the folder's, however it is written
    }

    [Fact]
    public void Convert_Cancelled_LeavesNothingBehind()
    {
        using var folder = new CheckpointFolder("mamba");
        using var cancel = new CancellationTokenSource();
        var stop = new Recorder(() => cancel.Cancel());
        Assert.ThrowsAny<OperationCanceledException>(() => ModelConverter.Convert(folder.PathOf("."), folder.Output, new ConversionOptions(), stop, cancel.Token));
        Assert.Empty(Directory.GetFiles(folder.PathOf("."), "*.gguf*"));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Convert_WeightThatIsNoNumber_IsRefusedByName(float weight)
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Edit(tensors => tensors[InProjection].Values[^1] = weight);
        Refuses<FormatException>(folder, InProjection, "finite");
        string message = Assert.Throws<FormatException>(() => folder.Convert(QuantTarget.ByName("Q4_0")!, QuantPolicy.Ssm, threads: 3)).Message;
        Assert.Contains(InProjection, message, StringComparison.Ordinal);
        Assert.Equal("older", File.ReadAllText(folder.Output));
    }

    [Fact]
    public void Convert_WeightBeyondTheType_IsRefusedByName()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Edit(tensors => tensors[InProjection].Values[^1] = 1e6f);
        Assert.Contains(InProjection, Assert.Throws<FormatException>(() => folder.Convert(QuantTypes.F16)).Message, StringComparison.Ordinal);
        folder.Convert(QuantTypes.BF16);
    }

    [Fact]
    public void Convert_TensorMissing_IsRefusedByName()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Edit(tensors => tensors.Remove("backbone.layers.2.mixer.D"));
        Refuses<FormatException>(folder, "'backbone.layers.2.mixer.D' is missing");
    }

    [Fact]
    public void Convert_TensorWithoutAPlace_IsRefusedByName()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Edit(tensors => tensors["backbone.layers.0.mixer.extra"] = ([1], [0f]));
        Refuses<FormatException>(folder, "'backbone.layers.0.mixer.extra' has no place");
    }

    [Theory]
    [InlineData("num_hidden_layers", 2, "backbone.layers.2.")]
    [InlineData("num_hidden_layers", 4, "backbone.layers.3.")]
    [InlineData("state_size", 8, "ssm_x.weight")]
    [InlineData("vocab_size", 500, "vocab_size")]
    [InlineData("hidden_size", 1 << 24, "at most 16777216", "intermediate_size")]
    [InlineData("hidden_size", -1, "hidden_size")]
    [InlineData("layer_norm_epsilon", 0, "layer_norm_epsilon")]
    public void Convert_ConfigThatDoesNotFit_IsRefused(string key, int value, string named, string? removed = null)
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Set(key, value);
        if (removed is not null) folder.Set(removed, null);
        Refuses<FormatException>(folder, named);
    }

    [Fact]
    public void Convert_OtherArchitecture_IsRefusedByNameWithThoseKnown()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Set("model_type", "gpt2");
        Refuses<NotSupportedException>(folder, "'gpt2'", "mamba, falcon_mamba, mamba2");
        folder.Set("model_type", null);
        Refuses<FormatException>(folder, "model_type");
    }

    [Fact]
    public void Convert_VariantsThatChangeTheResult_AreRefused()
    {
        using var folder = new CheckpointFolder("mamba2");
        folder.Set("time_step_limit", new JsonArray(0.0, 0.1));
        Refuses<NotSupportedException>(folder, "time_step_limit");
        folder.Set("time_step_limit", new JsonArray(0.001, new JsonObject { ["__float__"] = "Infinity" }));
        Refuses<NotSupportedException>(folder, "time_step_limit");
        folder.Set("time_step_limit", null);
        folder.Set("rms_norm", false);
        Refuses<NotSupportedException>(folder, "rms_norm");
        folder.Set("rms_norm", null);
        folder.Set("hidden_act", "gelu");
        Refuses<NotSupportedException>(folder, "gelu");
        folder.Set("hidden_act", null);
        folder.Set("head_dim", 32);
        Refuses<FormatException>(folder, "8 heads of 32");
    }

    [Fact]
    public void Convert_InfinityAsPythonWritesIt_IsRead()
    {
        using var folder = new CheckpointFolder("mamba2");
        folder.Set("time_step_limit", null);
        folder.Write("config.json", File.ReadAllText(folder.PathOf("config.json")).TrimEnd()[..^1] + ", \"time_step_limit\": [0.0, Infinity]}");
        Assert.Equal("mamba2", folder.Convert().Architecture);
    }

    [Fact]
    public void Convert_MissingFiles_AreNamed()
    {
        using var folder = new CheckpointFolder("mamba");
        File.Delete(folder.PathOf("model.safetensors"));
        Refuses<FileNotFoundException>(folder, "model.safetensors", "pytorch_model.bin");
        File.Delete(folder.PathOf("config.json"));
        Refuses<FileNotFoundException>(folder, "config.json");
        var options = new ConversionOptions();
        Assert.Throws<DirectoryNotFoundException>(() => ModelConverter.Convert(folder.PathOf("nowhere"), folder.Output, options));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"model_type\": \"\\ud800\"}")]
    [InlineData("{\"model_type\": {}}")]
    public void Convert_DamagedConfig_IsRefused(string config)
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Write("config.json", config);
        Refuses<FormatException>(folder, "config.json");
    }

    [Fact]
    public void Convert_OutputThatIsAnInput_IsRefused()
    {
        using var folder = new CheckpointFolder("mamba");
        byte[] weights = File.ReadAllBytes(folder.PathOf("model.safetensors"));
        var options = new ConversionOptions();
        Assert.Throws<ArgumentException>(() => ModelConverter.Convert(folder.PathOf("."), folder.PathOf("model.safetensors"), options));
        Assert.Throws<ArgumentException>(() => ModelConverter.Convert(folder.PathOf("."), folder.PathOf("."), options));
        Assert.Equal(weights, File.ReadAllBytes(folder.PathOf("model.safetensors")));
    }

    /// <summary>What goes straight into a type is what goes there by way of F32: the whole file, byte for byte, by either policy.</summary>
    [Theory]
    [InlineData("Q4_K_M", QuantPolicy.Ssm)]
    [InlineData("IQ4_XS", QuantPolicy.Llama)]
    [InlineData("Q5_0", QuantPolicy.Ssm)]
    [InlineData("Q8_0", QuantPolicy.Llama)]
    public void Convert_ToBlocks_GivesTheBytesOfQuantizingTheF32File(string target, QuantPolicy policy)
    {
        using var temporary = new TemporaryFolder();
        foreach (QuantType source in (QuantType[])[QuantTypes.F32, QuantTypes.F16, QuantTypes.BF16])
        {
            using var folder = new CheckpointFolder("mamba2_g1");
            ExportAs(folder, source);
            folder.Convert(QuantTypes.F32);
            var options = new QuantizationOptions { Target = QuantTarget.ByName(target)!, Policy = policy };
            QuantizationPlan plan;
            using (GgufFile file = GgufFile.Open(folder.Output))
            {
                plan = Quantizer.Plan(file, options);
                Quantizer.Write(file, plan, temporary["quantized.gguf"], options);
            }

            ConversionReport report = folder.Convert(QuantTarget.ByName(target)!, policy, threads: 3);

            Assert.Equal(File.ReadAllBytes(temporary["quantized.gguf"]), File.ReadAllBytes(folder.Output));
            Assert.Equal(plan.StoredOtherwise, report.StoredOtherwise);
        }
    }

    [Theory, MemberData(nameof(QuantizerTests.Targets), MemberType = typeof(QuantizerTests))]
    public void Convert_EveryTarget_IsWrittenWithWhatFits(string name)
    {
        QuantTarget target = QuantTarget.ByName(name)!;
        using var folder = new CheckpointFolder("mamba2_g1");
        ConversionReport report = folder.Convert(target, QuantPolicy.Llama);
        using GgufFile file = GgufFile.Open(folder.Output);
        GgufTensorInfo projection = file.Tensors.Single(t => t.Name == "blk.0.ssm_in.weight");
        bool wide = 64 % target.Type.BlockLength == 0;   // its rows have 64 values
        Assert.Equal(wide, target.Type == projection.Type);
        Assert.Equal(!wide, report.StoredOtherwise.Any(t => t.Tensor == projection.Name && t.Asked == target.Type && t.Stored == projection.Type));
        Assert.Equal(target.FileType, (uint)file.Metadata.GetInt32("general.file_type"));
    }

    /// <summary>Turns the weights of a folder into another float type, as the exporter writes it.</summary>
    private static void ExportAs(CheckpointFolder folder, QuantType type)
    {
        folder.Convert(QuantTypes.F32);
        ModelExporter.Export(folder.Output, folder.PathOf("as"), new ExportOptions { Type = type });
        foreach (string file in (string[])["model.safetensors", "config.json"]) File.Copy(folder.PathOf(Path.Combine("as", file)), folder.PathOf(file), overwrite: true);
    }

    private static long[] Dimensions(GgufFile file, string tensor) => [.. file.Tensors.Single(t => t.Name == tensor).Dimensions];

    /// <summary>The conversion fails in words that name what is wrong, and leaves an older output and no part of a new one.</summary>
    private static void Refuses<T>(CheckpointFolder folder, params string[] named) where T : Exception
    {
        File.WriteAllText(folder.Output, "older");
        string message = Assert.Throws<T>(() => folder.Convert()).Message;
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
        Assert.Equal("older", File.ReadAllText(folder.Output));
        Assert.Single(Directory.GetFiles(folder.PathOf("."), "*.gguf*"));
    }

    private sealed class Recorder(Action? action = null) : IProgress<(int Done, int Total, string Tensor)>
    {
        public List<(int Done, int Total, string Tensor)> Reports { get; } = [];

        public void Report((int Done, int Total, string Tensor) value)
        {
            Reports.Add(value);
            action?.Invoke();
        }
    }
}
