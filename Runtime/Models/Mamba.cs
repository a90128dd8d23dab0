using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Models;

/// <summary>Mamba-1 and Falcon-Mamba, which differs by norms of dt, B and C.</summary>
internal sealed class Mamba : Architecture
{
    private const string FalconType = "falcon_mamba";

    public override string Id => "mamba";

    public override string Title => "Mamba-1, Falcon-Mamba";

    public override ImportRules Import { get; } = new()
    {
        ModelTypes = ["mamba", FalconType],
        Tensors =
        [
            .. Backbone.Tensors,
            .. Backbone.MixerTensors,
            new(Backbone.HubMixer + "x_proj.weight", "blk.{i}.ssm_x.weight"),
            new(Backbone.HubMixer + "dt_proj.weight", "blk.{i}.ssm_dt.weight"),
            new(Backbone.HubMixer + "dt_proj.bias", "blk.{i}.ssm_dt.bias"),
            new(Backbone.HubMixer + "A_log", "blk.{i}.ssm_a") { IsLogarithm = true },
            new(Backbone.HubMixer + "D", "blk.{i}.ssm_d"),
        ],
        WriteKeys = WriteKeys,
        ModelTypeOf = model => IsFalcon(model) ? FalconType : "mamba",
        WriteConfig = WriteConfig,
    };

    public override IReadOnlyList<ModelShape> Published =>
    [
        Shape("mamba-130m", 768, 24),
        Shape("mamba-370m", 1024, 48),
        Shape("mamba-790m", 1536, 48),
        Shape("mamba-1.4b", 2048, 48),
        Shape("mamba-2.8b", 2560, 64),
        Shape("falcon-mamba-7b", 4096, 64, vocabulary: 65024, tied: false, norms: true),
    ];

    /// <summary>The shape of a model by state-spaces, whose vocabulary is GPT-NeoX's 50,277 tokens, padded to a multiple of 8, or of one like it.</summary>
    public ModelShape Shape(string name, int dModel, int layers, int dState = 16, int vocabulary = 50280, bool tied = true, bool norms = false)
    {
        List<(string, object)> keys = [("ssm.inner_size", 2u * (uint)dModel), ("ssm.state_size", (uint)dState), ("ssm.time_step_rank", ((uint)dModel + 15) / 16)];
        if (norms) keys.Add(("ssm.dt_b_c_rms", true));
        return Backbone.Shape(this, name, dModel, layers, vocabulary, tied, keys);
    }

    public override Activation Define(PlanBuilder p)
    {
        ModelMetadata meta = p.Metadata;
        float? dtBCEpsilon = meta.Flag("ssm.dt_b_c_rms")
            ? meta.Positive("ssm.dt_b_c_rms_epsilon", missing: meta.Positive("attention.layer_norm_rms_epsilon"))
            : null;
        var dims = new MambaDims(meta.Size("embedding_length"), meta.Size("ssm.inner_size"), meta.Size("ssm.state_size"),
            meta.Size("ssm.conv_kernel"), meta.Size("ssm.time_step_rank"), dtBCEpsilon);
        return Backbone.Record(p, (blk, x, residual) => MambaMixer.Record(p, blk, dims, x, residual));
    }

    private static void WriteKeys(HubConfig config, GgufMetadata keys)
    {
        Backbone.WriteKeys(config, keys, "mamba");
        int dModel = config.Size("hidden_size");
        keys.Set("mamba.ssm.inner_size", (uint)config.Size("intermediate_size", missing: Backbone.InnerSize(config)));
        keys.Set("mamba.ssm.state_size", (uint)config.Size("state_size", missing: 16));
        bool derived = config.Text("time_step_rank") is null or "auto";
        keys.Set("mamba.ssm.time_step_rank", (uint)(derived ? (dModel + 15) / 16 : config.Size("time_step_rank")));
        if (config.Text("model_type") != FalconType) return;
        keys.Set("mamba.ssm.dt_b_c_rms", true);
        float epsilon = config.Positive("mixer_rms_eps", missing: 1e-6f);
        if (epsilon != config.Positive("layer_norm_epsilon", missing: Backbone.DefaultEpsilon)) keys.Set("mamba.ssm.dt_b_c_rms_epsilon", epsilon);
    }

    private static bool IsFalcon(ExportedModel model) => model.Metadata.Flag("ssm.dt_b_c_rms");

    private static void WriteConfig(ExportedModel model, Utf8JsonWriter json)
    {
        ModelMetadata meta = model.Metadata;
        bool falcon = IsFalcon(model);
        Backbone.WriteConfig(json, model, falcon ? "FalconMambaForCausalLM" : "MambaForCausalLM");
        Backbone.WriteMixerConfig(json, model);
        json.WriteNumber("time_step_rank", meta.Size("ssm.time_step_rank"));
        if (falcon) json.WriteNumber("mixer_rms_eps", meta.Positive("ssm.dt_b_c_rms_epsilon", missing: meta.Positive("attention.layer_norm_rms_epsilon")));
    }
}
