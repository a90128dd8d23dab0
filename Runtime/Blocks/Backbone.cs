using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Models;

/// <summary>What every architecture here shares: embedding, a residual stack of normed mixers, a final norm and a head that may be tied.</summary>
internal static class Backbone
{
    /// <summary>Prefix of a mixer's tensors in hub checkpoints.</summary>
    public const string HubMixer = "backbone.layers.{i}.mixer.";

    /// <summary>ε of the norms where config.json has none.</summary>
    public const float DefaultEpsilon = 1e-5f;

    /// <summary>The stack's tensors in hub checkpoints.</summary>
    public static IReadOnlyList<TensorRule> Tensors { get; } =
    [
        new("backbone.embeddings.weight", TensorRule.Embedding),
        new("backbone.layers.{i}.norm.weight", "blk.{i}.attn_norm.weight"),
        new("backbone.norm_f.weight", "output_norm.weight"),
        new("lm_head.weight", "output.weight") { Presence = TensorPresence.UntiedHead },
    ];

    /// <summary>Tensors that the mixers of Mamba-1 and Mamba-2 share.</summary>
    public static IReadOnlyList<TensorRule> MixerTensors { get; } =
    [
        new(HubMixer + "in_proj.weight", "blk.{i}.ssm_in.weight"),
        new(HubMixer + "in_proj.bias", "blk.{i}.ssm_in.bias") { Presence = TensorPresence.ProjectionBias },
        new(HubMixer + "conv1d.weight", "blk.{i}.ssm_conv1d.weight") { Form = TensorForm.Taps },
        new(HubMixer + "conv1d.bias", "blk.{i}.ssm_conv1d.bias") { Presence = TensorPresence.ConvolutionBias },
        new(HubMixer + "out_proj.weight", "blk.{i}.ssm_out.weight"),
        new(HubMixer + "out_proj.bias", "blk.{i}.ssm_out.bias") { Presence = TensorPresence.ProjectionBias },
    ];

    /// <summary>Records one mixer.</summary>
    /// <param name="blk">Prefix of the layer's tensors, "blk.3.".</param>
    /// <param name="x">Its normed input [rows, dModel].</param>
    /// <param name="residual">What its output is added to [rows, dModel].</param>
    public delegate Activation Mixer(string blk, Activation x, Activation residual);

    /// <summary>Records the whole stack and returns the logits.</summary>
    public static Activation Record(PlanBuilder p, Mixer mixer)
    {
        int dModel = p.Metadata.Size("embedding_length"), layers = p.Metadata.Size("block_count");
        float epsilon = p.Metadata.Positive("attention.layer_norm_rms_epsilon");
        int vocabulary = p.RowsOf(TensorRule.Embedding);
        WeightRole table = p.Has("output.weight") ? WeightRole.Embedding : WeightRole.Head;
        WeightRef embedding = p.Matrix(TensorRule.Embedding, vocabulary, dModel, table);

        Activation x = p.Embed("token_embd", embedding);
        for (int i = 0; i < layers; i++)
        {
            p.Layer = i;
            string blk = $"blk.{i}.";
            Activation normed = p.RmsNorm(blk + "norm", x, p.Vector(blk + "attn_norm.weight", dModel), epsilon);
            x = mixer(blk, normed, x);
        }
        p.Layer = null;
        x = p.SelectOutputs("outputs", x);
        x = p.RmsNorm("output_norm", x, p.Vector("output_norm.weight", dModel), epsilon);
        return p.Linear("output", x, p.TryMatrix("output.weight", vocabulary, dModel, WeightRole.Head) ?? embedding);
    }

    /// <summary>The shape of a published model: the keys of the stack and the convolution, then those of its mixers.</summary>
    /// <remarks>Its projections have no biases, and its convolution has one.</remarks>
    public static ModelShape Shape(Architecture definition, string name, int dModel, int layers, int vocabulary, bool tied, IEnumerable<(string, object)> mixer) => new(
        definition, name, vocabulary,
        [
            // Context length, feed-forward width and heads mean nothing here; llama.cpp's loader asks for them.
            ("context_length", 1u << 20), ("feed_forward_length", 0u), ("attention.head_count", 0u),
            ("embedding_length", (uint)dModel), ("block_count", (uint)layers), ("vocab_size", (uint)vocabulary),
            ("attention.layer_norm_rms_epsilon", DefaultEpsilon), ("ssm.conv_kernel", 4u), .. mixer,
        ],
        tied ? ["blk.{i}.ssm_conv1d.bias"] : ["blk.{i}.ssm_conv1d.bias", "output.weight"]);

    /// <summary>Writes the keys of the stack and the convolution.</summary>
    /// <remarks>Context length, feed-forward width and heads mean nothing here; llama.cpp's converter writes these values and its loader asks for them.</remarks>
    public static void WriteKeys(HubConfig config, GgufMetadata keys, string id)
    {
        config.RequireText("hidden_act", "silu", "swish");
        keys.Set(id + ".context_length", 1u << 20);
        keys.Set(id + ".embedding_length", (uint)config.Size("hidden_size"));
        keys.Set(id + ".feed_forward_length", 0u);
        keys.Set(id + ".attention.head_count", 0u);
        keys.Set(id + ".block_count", (uint)config.Size("num_hidden_layers"));
        keys.Set(id + ".vocab_size", (uint)config.Size("vocab_size"));
        keys.Set(id + ".attention.layer_norm_rms_epsilon", config.Positive("layer_norm_epsilon", missing: DefaultEpsilon));
        keys.Set(id + ".ssm.conv_kernel", (uint)config.Size("conv_kernel", missing: 4));
    }

    /// <summary>Writes the stack's and the convolution's part of config.json.</summary>
    /// <param name="json">An open object.</param>
    /// <param name="model">The model.</param>
    /// <param name="className">What transformers calls it.</param>
    public static void WriteConfig(Utf8JsonWriter json, ExportedModel model, string className)
    {
        ModelMetadata meta = model.Metadata;
        json.WriteStartArray("architectures");
        json.WriteStringValue(className);
        json.WriteEndArray();
        json.WriteNumber("hidden_size", meta.Size("embedding_length"));
        json.WriteNumber("num_hidden_layers", meta.Size("block_count"));
        json.WriteNumber("vocab_size", model.VocabularySize);
        json.WriteNumber("conv_kernel", meta.Size("ssm.conv_kernel"));
        json.WriteNumber("layer_norm_epsilon", meta.Positive("attention.layer_norm_rms_epsilon"));
        json.WriteString("hidden_act", "silu");
        json.WriteBoolean("tie_word_embeddings", !model.Has("output.weight"));
    }

    /// <summary>Writes what the mixers of Mamba-1 and Mamba-2 share in config.json.</summary>
    /// <param name="json">An open object.</param>
    /// <param name="model">The model.</param>
    public static void WriteMixerConfig(Utf8JsonWriter json, ExportedModel model)
    {
        ModelMetadata meta = model.Metadata;
        int dModel = meta.Size("embedding_length"), dInner = meta.Size("ssm.inner_size");
        json.WriteNumber("intermediate_size", dInner);
        if (dInner % dModel == 0) json.WriteNumber("expand", dInner / dModel);
        else json.WriteNumber("expand", Expand(dModel, dInner));
        json.WriteNumber("state_size", meta.Size("ssm.state_size"));
        json.WriteBoolean("residual_in_fp32", true);
        json.WriteBoolean("use_bias", model.Has("blk.0.ssm_in.bias"));
        json.WriteBoolean("use_conv_bias", model.Has("blk.0.ssm_conv1d.bias"));
    }

    /// <summary>The number whose product with the width, cut to an integer, is the channels again.</summary>
    public static double Expand(int dModel, int dInner)
    {
        double expand = (double)dInner / dModel;
        return expand * dModel < dInner ? Math.BitIncrement(expand) : expand;
    }

    /// <summary>Channels of the scan by "expand" and "hidden_size".</summary>
    public static int InnerSize(HubConfig config)
    {
        double inner = (config.Number("expand") ?? 2) * config.Size("hidden_size");   // cut, not rounded, as in transformers
        return inner is >= 1 and <= HubConfig.MaxSize ? (int)inner
            : throw new FormatException($"{config.Path}: keys 'expand' and 'hidden_size' make {inner} channels; at most {HubConfig.MaxSize} are possible. Use the file that belongs to the checkpoint.");
    }
}
