using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A network that is not published: Mamba-2 with an MLP after each mixer, whose up projection reads the residual stream and what its mixer read side by side. One file, as an architecture is added, that nothing but tests know.</summary>
internal sealed class MlpArchitecture : Architecture
{
    private const string HubMlp = "backbone.layers.{i}.mlp.";

    public override string Id => "mlp";

    public override string Title => "Mamba-2 with an MLP";

    public override ImportRules Import { get; } = new()
    {
        ModelTypes = ["mamba2_mlp"],
        Tensors =
        [
            .. new Mamba2().Import.Tensors,
            new("backbone.layers.{i}.norm2.weight", "blk.{i}.ffn_norm.weight"),
            new(HubMlp + "gate_proj.weight", "blk.{i}.ffn_gate.weight"),
            new(HubMlp + "up_proj.weight", "blk.{i}.ffn_up.weight"),
            new(HubMlp + "norm.weight", "blk.{i}.ffn_sub_norm.weight"),
            new(HubMlp + "down_proj.weight", "blk.{i}.ffn_down.weight"),
        ],
        WriteKeys = WriteKeys,
        WriteConfig = WriteConfig,
    };

    public override IReadOnlyList<ModelShape> Published =>
    [
        Backbone.Shape(this, "mlp-small", 256, 2, vocabulary: 320, tied: true,
        [
            ("ssm.inner_size", 512u), ("ssm.state_size", 32u), ("ssm.time_step_rank", 8u), ("ssm.group_count", 1u), ("feed_forward_length", 512u),
        ]),
    ];

    public override Activation Define(PlanBuilder p)
    {
        ModelMetadata meta = p.Metadata;
        int dModel = meta.Size("embedding_length"), hidden = meta.Size("feed_forward_length");
        float epsilon = meta.Positive("attention.layer_norm_rms_epsilon");
        var dims = new Mamba2Dims(dModel, meta.Size("ssm.inner_size"), meta.Size("ssm.state_size"), meta.Size("ssm.conv_kernel"),
            meta.Size("ssm.time_step_rank"), meta.Groups, epsilon);
        return Backbone.Record(p, (blk, x, residual) =>
        {
            x = Mamba2Mixer.Record(p, blk, dims, x, residual);
            Activation normed = p.RmsNorm(blk + "ffn_norm", x, p.Vector(blk + "ffn_norm.weight", dModel), epsilon);
            Activation gate = p.Linear(blk + "ffn_gate", normed, p.Matrix(blk + "ffn_gate.weight", hidden, dModel, WeightRole.In));
            Activation before = p.Linear(blk + "ffn_up.before", residual, Up(dModel));
            Activation up = p.Linear(blk + "ffn_up", normed, Up(0), addTo: before);
            Activation y = p.GatedRmsNorm(blk + "ffn_act", up, gate, p.Vector(blk + "ffn_sub_norm.weight", hidden), nGroups: 1, epsilon);
            return p.Linear(blk + "ffn_down", y, p.Matrix(blk + "ffn_down.weight", dModel, hidden, WeightRole.Out), addTo: x);

            WeightRef Up(int first) => p.MatrixColumns(blk + "ffn_up.weight", hidden, 2 * dModel, WeightRole.In, first, dModel);
        });
    }

    private static void WriteKeys(HubConfig config, GgufMetadata keys)
    {
        Backbone.WriteKeys(config, keys, "mlp");
        keys.Set("mlp.ssm.inner_size", (uint)Backbone.InnerSize(config));
        keys.Set("mlp.ssm.state_size", (uint)config.Size("state_size"));
        keys.Set("mlp.ssm.time_step_rank", (uint)config.Size("num_heads"));
        keys.Set("mlp.ssm.group_count", (uint)config.Size("n_groups"));
        keys.Set("mlp.feed_forward_length", (uint)config.Size("mlp_size"));
    }

    private static void WriteConfig(ExportedModel model, Utf8JsonWriter json)
    {
        ModelMetadata meta = model.Metadata;
        Backbone.WriteConfig(json, model, "Mamba2MlpForCausalLM");
        Backbone.WriteMixerConfig(json, model);
        json.WriteNumber("num_heads", meta.Size("ssm.time_step_rank"));
        json.WriteNumber("n_groups", meta.Groups);
        json.WriteNumber("mlp_size", meta.Size("feed_forward_length"));
    }
}
