using System.Globalization;
using MambaRT.Formats;

namespace MambaRT.Sampling;

/// <summary>The settings of sampling that a model may recommend: <c>general.sampling.*</c> in GGUF, and their names in generation_config.json.</summary>
/// <remarks>Source: llama.cpp, gguf-py/gguf/constants.py (Keys.General) and metadata.py; transformers, GenerationConfig.</remarks>
internal static class RecommendedSampling
{
    /// <summary>What all keys begin with.</summary>
    public const string Prefix = "general.sampling.";

    /// <summary>The key of the order of samplers, a text; its name in generation_config.json is the same without the prefix.</summary>
    public const string Sequence = "sequence";

    /// <summary>Every key that is a number.</summary>
    public static readonly RecommendedNumber[] Numbers =
    [
        new("temp", ["temperature"], false, (options, value) => options with { Temperature = (float)value }),
        new("top_k", ["top_k"], true, (options, value) => options with { TopK = Math.Max(0, (int)value) }),   // all, however it is written
        new("top_p", ["top_p"], false, (options, value) => options with { TopP = (float)value }),
        new("min_p", ["min_p"], false, (options, value) => options with { MinP = (float)value }),
        new("xtc_probability", ["xtc_probability"], false, (options, value) => options with { XtcProbability = (float)value }),
        new("xtc_threshold", ["xtc_threshold"], false, (options, value) => options with { XtcThreshold = (float)value }),
        new("penalty_repeat", ["repetition_penalty", "penalty_repeat"], false, (options, value) => options with { RepeatPenalty = (float)value }),
        new("penalty_last_n", ["penalty_last_n"], true, (options, value) => options with { RepeatLastN = (int)value }),
        new("mirostat", ["mirostat"], true, (options, value) => options with { Mirostat = (int)value }),
        new("mirostat_tau", ["mirostat_tau"], false, (options, value) => options with { MirostatTau = (float)value }),
        new("mirostat_eta", ["mirostat_eta"], false, (options, value) => options with { MirostatEta = (float)value }),
    ];

    /// <summary>Puts what a file recommends in the place of the defaults.</summary>
    /// <param name="metadata">Metadata of a GGUF file.</param>
    /// <param name="notes">Takes what a user should know, or null.</param>
    /// <exception cref="FormatException">A value has a wrong type or is out of range.</exception>
    public static SamplingOptions Read(GgufMetadata metadata, ICollection<string>? notes)
    {
        var options = new SamplingOptions();
        foreach (RecommendedNumber number in Numbers)
        {
            string key = Prefix + number.Name;
            if (metadata.TryGetNumber(key) is not double value) continue;
            options = number.Apply(options, value, number.Name, out string? fault)
                ?? throw new FormatException($"{metadata.Subject}: the recommended sampling cannot be used: key '{key}' is {value.ToString(CultureInfo.InvariantCulture)}, and {fault}. Remove or override the key, or re-convert the model.");
        }
        return metadata.TryGetString(Prefix + Sequence) is string sequence ? options with { Sequence = ReadSequence(metadata.Subject, sequence, notes) } : options;
    }

    private static IReadOnlyList<SamplerKind> ReadSequence(string subject, string text, ICollection<string>? notes)
    {
        List<string> unknown = [];
        try
        {
            IReadOnlyList<SamplerKind> kinds = SamplerSequence.Parse(text, unknown);
            if (unknown.Count > 0)
                notes?.Add($"The model recommends samplers that are not known here and are left out: {string.Join(", ", unknown.Select(HubConfig.Show))}.");
            return kinds;
        }
        catch (FormatException e)
        {
            throw new FormatException($"{subject}: key '{Prefix}{Sequence}' cannot be used: {e.Message} Remove or override the key, or re-convert the model.", e);
        }
    }
}
