using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Models;

/// <summary>Mamba-2, with any number of groups (Mamba-Codestral has 8).</summary>
internal sealed class Mamba2 : Architecture
{
    public override string Id => "mamba2";

    public override string Title => "Mamba-2, Mamba-Codestral";

    public override ImportRules Import { get; } = new()
    {
        ModelTypes = ["mamba2"],
        Tensors =
        [
            .. Backbone.Tensors,
            .. Backbone.MixerTensors,
            new(Backbone.HubMixer + "dt_bias", "blk.{i}.ssm_dt.bias"),
            new(Backbone.HubMixer + "A_log", "blk.{i}.ssm_a") { IsLogarithm = true, Form = TensorForm.Column },
            new(Backbone.HubMixer + "D", "blk.{i}.ssm_d") { Form = TensorForm.Column },
            new(Backbone.HubMixer + "norm.weight", "blk.{i}.ssm_norm.weight") { Form = TensorForm.Grouped },
        ],
        WriteKeys = WriteKeys,
        WriteConfig = WriteConfig,
    };

    public override IReadOnlyList<ModelShape> Published =>
    [
        Shape("mamba2-130m", 768, 24),
        Shape("mamba2-370m", 1024, 48),
        Shape("mamba2-780m", 1536, 48),
        Shape("mamba2-1.3b", 2048, 48),
        Shape("mamba2-2.7b", 2560, 64),
        Shape("codestral-mamba-7b", 4096, 64, vocabulary: 32768, tied: false, groups: 8),
    ];

    /// <summary>The shape of a model by state-spaces, whose vocabulary is GPT-NeoX's 50,277 tokens, padded to a multiple of 16, or of one like it.</summary>
    public ModelShape Shape(string name, int dModel, int layers, int dState = 128, int vocabulary = 50288, bool tied = true, int groups = 1)
    {
        const int HeadDim = 64;
        return Backbone.Shape(this, name, dModel, layers, vocabulary, tied,
            [("ssm.inner_size", 2u * (uint)dModel), ("ssm.state_size", (uint)dState), ("ssm.time_step_rank", 2u * (uint)dModel / HeadDim), ("ssm.group_count", (uint)groups)]);
    }

    public override Activation Define(PlanBuilder p)
    {
        ModelMetadata meta = p.Metadata;
        // In Mamba-2 files time_step_rank holds the number of heads.
        var dims = new Mamba2Dims(meta.Size("embedding_length"), meta.Size("ssm.inner_size"), meta.Size("ssm.state_size"), meta.Size("ssm.conv_kernel"),
            meta.Size("ssm.time_step_rank"), meta.Groups, meta.Positive("attention.layer_norm_rms_epsilon"));
        if (dims.DInner % dims.NHeads != 0 || dims.NHeads % dims.NGroups != 0)
            throw new FormatException($"{meta.File.Subject}: {dims.DInner} channels in {dims.NHeads} heads in {dims.NGroups} groups do not divide evenly, as architecture 'mamba2' needs. Re-convert the model.");
        return Backbone.Record(p, (blk, x, residual) => Mamba2Mixer.Record(p, blk, dims, x, residual));
    }

    private static void WriteKeys(HubConfig config, GgufMetadata keys)
    {
        Backbone.WriteKeys(config, keys, "mamba2");
        config.RequireFlag("rms_norm", true);   // "norm_before_gate" is not looked at, as transformers gates first whatever it says: Mamba-Codestral's is true
        config.RequireUnlimited("time_step_limit");
        int inner = Backbone.InnerSize(config), heads = config.Size("num_heads");
        if (config.Size("head_dim", missing: 64) * (long)heads != inner)
            throw new FormatException($"{config.Path}: {heads} heads of {config.Size("head_dim", missing: 64)} do not make the {inner} channels of 'expand' times 'hidden_size'; use the config.json that belongs to the checkpoint.");
        keys.Set("mamba2.ssm.inner_size", (uint)inner);
        keys.Set("mamba2.ssm.state_size", (uint)config.Size("state_size", missing: 128));
        keys.Set("mamba2.ssm.time_step_rank", (uint)heads);   // in Mamba-2 files this key holds the number of heads
        keys.Set("mamba2.ssm.group_count", (uint)config.Size("n_groups", missing: 8));
    }

    private static void WriteConfig(ExportedModel model, Utf8JsonWriter json)
    {
        ModelMetadata meta = model.Metadata;
        int heads = meta.Size("ssm.time_step_rank");
        Backbone.WriteConfig(json, model, "Mamba2ForCausalLM");
        Backbone.WriteMixerConfig(json, model);
        json.WriteNumber("num_heads", heads);
        json.WriteNumber("head_dim", meta.Size("ssm.inner_size") / heads);
        json.WriteNumber("n_groups", meta.Groups);
        json.WriteBoolean("rms_norm", true);
    }
}
