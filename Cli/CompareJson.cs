using MambaRT.Bench;

namespace MambaRT.Cli;

/// <summary>What 'compare' tells, as JSON.</summary>
internal static class CompareJson
{
    /// <summary>Writes one object.</summary>
    public static void Write(TextWriter output, QualityRecord record)
    {
        var json = new JsonOutput(output);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("version", record.Version);
        json.Writer.WriteString("backend", record.Backend);
        json.Writer.WriteString("text", record.Text);
        json.Writer.WriteNumber("tokens", record.Windows.TextLength);
        json.Writer.WriteNumber("window", record.Windows.Length);
        json.Writer.WriteNumber("windows", record.Windows.Count);
        json.Writer.WriteNumber("scored", record.Windows.Scored);
        json.Writer.WriteStartObject("base");
        WriteMembers(json, record.Base);
        WriteList(json, "models", record.Models);
        if (record.VariantType.Length > 0)
        {
            json.Writer.WriteString("variant_type", record.VariantType);
            WriteList(json, "variants", record.Variants);
        }
        json.Writer.WriteEndObject();
        json.End();
    }

    private static void WriteList(JsonOutput json, string name, IReadOnlyList<QualityModel> models)
    {
        json.Writer.WriteStartArray(name);
        foreach (QualityModel model in models)
        {
            json.Writer.WriteStartObject();
            WriteMembers(json, model);
        }
        json.Writer.WriteEndArray();
    }

    private static void WriteMembers(JsonOutput json, QualityModel model)
    {
        json.Writer.WriteString("name", model.Name);
        json.Writer.WriteNumber("bytes", model.Bytes);
        json.Number("bits_per_weight", model.BitsPerWeight);
        json.Number("perplexity", model.Loss.Perplexity);
        json.Number("perplexity_error", model.Loss.PerplexityError);
        json.Number("nats_per_token", model.Loss.Nats);
        if (model.Divergence is { } divergence)
        {
            json.Number("perplexity_ratio", divergence.PerplexityRatio);
            json.Number("perplexity_ratio_error", divergence.PerplexityRatioError);
            json.Number("kl_mean", divergence.Mean);
            json.Number("kl_mean_error", divergence.MeanError);
            json.Number("kl_median", divergence.Quantile(0.5));
            json.Number("kl_99", divergence.Quantile(0.99));
            json.Number("kl_max", divergence.Max);
            json.Number("same_top", divergence.SameBest);
            json.Number("max_logit_error", divergence.LargestLogitError);
        }
        if (double.IsFinite(model.TokensPerSecond)) json.Number("tokens_per_second", Math.Round(model.TokensPerSecond, 2));
        json.Writer.WriteEndObject();
    }
}
