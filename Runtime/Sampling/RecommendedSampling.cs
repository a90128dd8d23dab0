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

    /// <summary>Puts what a file recommends in the place of the defaults. It is advice: what cannot be used is left out with a note and stops nothing.</summary>
    /// <param name="metadata">Metadata of a GGUF file.</param>
    /// <param name="notes">Takes what a user should know, or null.</param>
    public static SamplingOptions Read(GgufMetadata metadata, ICollection<string>? notes)
    {
        var options = new SamplingOptions();
        foreach (RecommendedNumber number in Numbers)
            if (Find(metadata, number, notes) is double value) options = number.Set(options, value);
        if (FindSequence(metadata, notes) is not string text) return options;
        List<string> unknown = [];
        options = options with { Sequence = SamplerSequence.Parse(text, unknown) };
        if (unknown.Count > 0)
            notes?.Add($"The model recommends samplers that are not known here and are left out: {string.Join(", ", unknown.Select(HubConfig.Show))}.");
        return options;
    }

    /// <summary>A number that a file recommends and that can be used, or null.</summary>
    public static double? Find(GgufMetadata metadata, RecommendedNumber number, ICollection<string>? notes)
    {
        string key = Prefix + number.Name;
        if (!metadata.TryGet(key, out GgufValue found)) return null;
        string? fault = "A number is needed.";
        if (found.Type is not (GgufValueType.String or GgufValueType.Bool or GgufValueType.Array)
            && metadata.TryGetNumber(key) is double value && number.Apply(new SamplingOptions(), value, number.Name, out fault) is not null) return value;
        Drop(metadata, key, found, fault!, notes);   // set where there are no options
        return null;
    }

    /// <summary>The order of samplers that a file recommends and that can be used, or null.</summary>
    public static string? FindSequence(GgufMetadata metadata, ICollection<string>? notes)
    {
        const string Key = Prefix + Sequence;
        if (!metadata.TryGet(Key, out GgufValue found)) return null;
        string fault = "A text of names is needed.";
        try
        {
            if (found.Value is string text)
            {
                SamplerSequence.Parse(text, []);
                return text;
            }
        }
        catch (FormatException e)
        {
            fault = e.Message;
        }
        Drop(metadata, Key, found, fault, notes);
        return null;
    }

    private static void Drop(GgufMetadata metadata, string key, GgufValue found, string fault, ICollection<string>? notes)
    {
        string value = found.Type == GgufValueType.Array ? $"an array of {found.ElementType}" : HubConfig.Show(Convert.ToString(found.Value, CultureInfo.InvariantCulture)!);   // a string or a number
        notes?.Add($"{metadata.Subject}: the recommended '{key}' is {value} and is left out: {char.ToLowerInvariant(fault[0])}{fault[1..]}");
    }
}
