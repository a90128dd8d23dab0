using System.Text.Json;

namespace MambaRT.Conversion;

/// <summary>Reads the configurations of the state-spaces originals and of Mistral's own layout, as if written by transformers.</summary>
/// <remarks>
/// Absent keys mean the defaults of mamba_ssm, which are not those of transformers. Source: state-spaces/mamba, mamba_ssm/models/config_mamba.py,
/// modules/mamba_simple.py and mamba2.py; mistral-inference, src/mistral_inference/args.py (MambaArgs).
/// </remarks>
internal static class OriginalConfig
{
    /// <summary>Whether a configuration is of one of these kinds: it has a width under its old name and does not say what transformers calls it.</summary>
    public static bool Is(HubConfig config) => config.Get("d_model") is not null && config.Get("hidden_size") is null;

    /// <summary>Translates the config.json of a state-spaces checkpoint.</summary>
    /// <exception cref="FormatException">A key is missing or of the wrong kind.</exception>
    /// <exception cref="NotSupportedException">It describes a network that MambaRT does not compute.</exception>
    public static HubConfig Translate(HubConfig config)
    {
        HubConfig layer = config.Section("ssm_cfg");
        config.RequireFlag("rms_norm", true);
        config.RequireNothing("attn_layer_idx", "attention layers");
        config.RequireNothing("d_intermediate", "feed-forward layers");
        string kind = layer.Text("layer") ?? "Mamba1";
        if (kind is not ("Mamba1" or "Mamba2"))
            throw new NotSupportedException($"{config.Path}: key 'layer' is '{HubConfig.Show(kind)}'; MambaRT converts Mamba1 and Mamba2. Choose another checkpoint.");
        return kind == "Mamba1" ? Mamba1(config, layer) : Mamba2(config, layer, config.Size("d_model"), config.Size("n_layer"), "ngroups");
    }

    /// <summary>Translates the params.json of Mamba-Codestral as Mistral published it.</summary>
    /// <inheritdoc cref="Translate" path="/exception"/>
    public static HubConfig TranslateMistral(HubConfig config)
    {
        config.RequireText("model_type", "mamba");
        config.RequireFlag("rms_norm", true);
        return Mamba2(config, config, config.Size("dim"), config.Size("n_layers"), "n_groups");
    }

    private static HubConfig Mamba1(HubConfig config, HubConfig layer) => HubConfig.Make(config.Path, json =>
    {
        json.WriteString("model_type", "mamba");
        WriteShared(json, config, layer, config.Size("d_model"), config.Size("n_layer"), stateSize: 16);
        if (layer.Text("dt_rank") is not (null or "auto")) json.WriteNumber("time_step_rank", layer.Size("dt_rank"));
    });

    private static HubConfig Mamba2(HubConfig config, HubConfig layer, int dModel, int layers, string groups)
    {
        layer.RequireFlag("rmsnorm", true);
        layer.RequireFlag("norm_before_gate", false);
        layer.RequireFlag("D_has_hdim", false);
        layer.RequireNothing("d_ssm", "channels outside the scan");
        layer.RequireUnlimited("dt_limit");
        int headDim = layer.Size("headdim", missing: 64);
        long channels = (long)layer.Size("expand", missing: 2) * dModel;
        if (channels % headDim != 0)
            throw new FormatException($"{config.Path}: the {channels} channels do not divide into heads of {headDim}; use the file that belongs to the checkpoint.");
        return HubConfig.Make(config.Path, json =>
        {
            json.WriteString("model_type", "mamba2");
            WriteShared(json, config, layer, dModel, layers, stateSize: 128);
            json.WriteNumber("head_dim", headDim);
            json.WriteNumber("num_heads", channels / headDim);
            json.WriteNumber("n_groups", layer.Size(groups, missing: 1));
        });
    }

    private static void WriteShared(Utf8JsonWriter json, HubConfig config, HubConfig layer, int dModel, int layers, int stateSize)
    {
        json.WriteNumber("hidden_size", dModel);
        json.WriteNumber("num_hidden_layers", layers);
        json.WriteNumber("vocab_size", PaddedVocabulary(config));
        json.WriteBoolean("tie_word_embeddings", config.Flag("tie_embeddings", missing: true));
        json.WriteNumber("state_size", layer.Size("d_state", missing: stateSize));
        json.WriteNumber("conv_kernel", layer.Size("d_conv", missing: 4));
        json.WriteNumber("expand", layer.Size("expand", missing: 2));
        json.WriteBoolean("use_bias", layer.Flag("bias", missing: false));
        json.WriteBoolean("use_conv_bias", layer.Flag("conv_bias", missing: true));
    }

    /// <summary>Rows of the embedding: the vocabulary rounded up, so that they are more than the tokens.</summary>
    private static long PaddedVocabulary(HubConfig config)
    {
        int multiple = config.Size("pad_vocab_size_multiple", missing: 8);
        return (config.Size("vocab_size") + (long)multiple - 1) / multiple * multiple;
    }
}
