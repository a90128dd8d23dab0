using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Turns the recommended sampling of generation_config.json into <c>general.sampling.*</c>.</summary>
/// <remarks>It is advice: what cannot be used is left out with a note and stops no conversion.</remarks>
internal static class SamplingImport
{
    private const string Penalty = "penalty_";

    // Settings of transformers that change what is sampled, with the values that change nothing; GGUF has no keys for them.
    private static readonly (string Name, double Nothing)[] Inexpressible =
        [("typical_p", 1), ("epsilon_cutoff", 0), ("eta_cutoff", 0), ("no_repeat_ngram_size", 0), ("encoder_repetition_penalty", 1)];

    /// <summary>Writes every key that a file has advice for.</summary>
    /// <param name="generation">generation_config.json.</param>
    /// <param name="metadata">Takes the keys.</param>
    /// <param name="notes">Takes what was left out.</param>
    public static void Write(HubConfig generation, GgufMetadata metadata, List<string> notes)
    {
        // Where nothing is drawn at random the settings of drawing mean nothing, but penalties do.
        bool draws = Draws(generation, notes);
        var undrawn = new List<string>();
        foreach (RecommendedNumber number in RecommendedSampling.Numbers)
        {
            if (number.HubNames.FirstOrDefault(name => generation.Get(name) is not null) is not string name) continue;
            if (draws || number.Name.StartsWith(Penalty, StringComparison.Ordinal)) Write(number, name);
            else undrawn.Add($"'{name}'");
        }
        if (undrawn.Count > 0)
            notes.Add($"The recommended {string.Join(", ", undrawn)} of {Path.GetFileName(generation.Path)} {(undrawn.Count == 1 ? "is" : "are")} left out: 'do_sample' is false there, so nothing is drawn at random; give --temp 0 to have that.");
        if (draws && generation.Get(RecommendedSampling.Sequence) is JsonElement sequence) WriteSequence(sequence);
        foreach ((string name, double nothing) in Inexpressible)
            if (draws && generation.Get(name) is JsonElement value && !(value.ValueKind == JsonValueKind.Number && value.GetDouble() == nothing))
                Drop(name, value, "GGUF has no key for it");

        void Write(RecommendedNumber number, string name)
        {
            JsonElement value = generation.Get(name)!.Value;   // the caller has looked
            string? fault = "a number is needed";
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double x) || number.Apply(new SamplingOptions(), x, name, out fault) is null)
                Drop(name, value, fault!);   // set where there are no options
            else if (number.IsWhole) metadata.Set(RecommendedSampling.Prefix + number.Name, number.Name == "top_k" ? Math.Max(0, (int)x) : (int)x);
            else metadata.Set(RecommendedSampling.Prefix + number.Name, (float)x);
        }

        void WriteSequence(JsonElement value)
        {
            if (value.ValueKind == JsonValueKind.String && HubConfig.TryString(value) is string text) metadata.Set(RecommendedSampling.Prefix + RecommendedSampling.Sequence, text);
            else Drop(RecommendedSampling.Sequence, value, "a text of names is needed");
        }

        void Drop(string name, JsonElement value, string reason) =>
            notes.Add($"The recommended '{name}' of {Path.GetFileName(generation.Path)} is {HubConfig.Show(value.GetRawText())} and is left out: {reason}.");
    }

    private static bool Draws(HubConfig generation, List<string> notes)
    {
        if (generation.Get("do_sample") is not JsonElement value || value.ValueKind is JsonValueKind.True or JsonValueKind.False) return generation.Flag("do_sample", missing: true);
        notes.Add($"Key 'do_sample' of {Path.GetFileName(generation.Path)} is {HubConfig.Show(value.GetRawText())}, neither true nor false; it is taken as true.");
        return true;
    }
}
