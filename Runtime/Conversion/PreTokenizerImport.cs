using System.Text.Json;

namespace MambaRT.Runtime;

/// <summary>Recognizes how a tokenizer.json cuts text into words and names it as <c>tokenizer.ggml.pre</c> does.</summary>
internal static class PreTokenizerImport
{
    // Steps as Describe writes them; every name is one that MambaRT's tokenizers know.
    private static readonly (string Steps, string Name)[] Known =
    [
        ("ByteLevel", "gpt-2"),
        ("Digits(individual) ByteLevel", "refact"),
        ("Punctuation(Contiguous) ByteLevel Digits Split([0-9][0-9][0-9])", "falcon"),
    ];

    /// <summary>The name of the pre-tokenizer.</summary>
    /// <exception cref="NotSupportedException">It cuts in a way that has no known name.</exception>
    public static string Name(HubConfig tokenizer)
    {
        string steps = tokenizer.Get("pre_tokenizer") is JsonElement pre ? Describe(pre) : "none";
        foreach ((string known, string name) in Known)
            if (steps == known) return name;
        throw new NotSupportedException($"{tokenizer.Path}: the pre-tokenizer '{HubConfig.Show(steps)}' is not one that MambaRT knows; known are {string.Join(", ", Known.Select(k => $"'{k.Steps}'"))}. Choose another checkpoint.");
    }

    /// <summary>What a tokenizer does to text first, or null for nothing.</summary>
    /// <exception cref="NotSupportedException">It does more than compose characters (NFC), as a tokenizer for words does.</exception>
    public static string? Normalizer(HubConfig tokenizer)
    {
        if (tokenizer.Get("normalizer") is not JsonElement normalizer) return null;
        string kind = Text(normalizer, "type") ?? "unknown";
        return kind == "NFC" ? kind
            : throw new NotSupportedException($"{tokenizer.Path}: the normalizer '{HubConfig.Show(kind)}' changes text in a way that GGUF cannot express. Choose another checkpoint.");
    }

    private static string Describe(JsonElement step) => Text(step, "type") switch
    {
        "Sequence" when step.TryGetProperty("pretokenizers", out JsonElement steps) && steps.ValueKind == JsonValueKind.Array =>
            string.Join(' ', steps.EnumerateArray().Select(Describe)),
        "ByteLevel" => Is(step, "add_prefix_space", absent: true) ? "ByteLevel(add_prefix_space)"
            : Is(step, "use_regex", absent: true) ? "ByteLevel" : "ByteLevel(no regex)",
        "Digits" => Is(step, "individual_digits", absent: false) ? "Digits(individual)" : "Digits",
        "Punctuation" => $"Punctuation({Text(step, "behavior") ?? "Isolated"})",
        "Split" => $"Split({(step.TryGetProperty("pattern", out JsonElement pattern) ? Text(pattern, "Regex") ?? Text(pattern, "String") : null) ?? "unknown"})",
        string other => other,
        null => "unknown",
    };

    private static bool Is(JsonElement step, string flag, bool absent) =>
        step.TryGetProperty(flag, out JsonElement value) ? value.ValueKind == JsonValueKind.True : absent;

    /// <summary>A text as it is written: none that is known has escapes, and unescaping could fail.</summary>
    private static string? Text(JsonElement step, string key) =>
        step.ValueKind == JsonValueKind.Object && step.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetRawText()[1..^1] : null;
}
