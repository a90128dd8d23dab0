using System.Text.Json;

namespace MambaRT.Conversion;

/// <summary>Recognizes how a tokenizer.json cuts text into words and names it as <c>tokenizer.ggml.pre</c> does; writes the same from a name.</summary>
internal static class PreTokenizerImport
{
    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Qwen2 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Steps as Describe writes them, whether a word that is a token becomes it without merging, and the first name of the pre-tokenizer in its family.</summary>
    public static readonly (string Steps, bool WholeWords, string Name)[] Known =
    [
        ("ByteLevel", false, "gpt-2"),
        ("Digits(individual) ByteLevel", false, "refact"),
        ("Punctuation(Contiguous) ByteLevel Digits Split([0-9][0-9][0-9])", false, "falcon"),
        ($"Split({Llama3}) ByteLevel(no regex)", true, "llama-bpe"),
        ($"Split({Llama3}) ByteLevel(no regex)", false, "dbrx"),
        ($"Split({Qwen2}) ByteLevel(no regex)", false, "qwen2"),
    ];

    /// <summary>The name of the pre-tokenizer.</summary>
    /// <exception cref="NotSupportedException">It cuts in a way that has no known name.</exception>
    public static string Name(HubConfig tokenizer)
    {
        string steps = tokenizer.Get("pre_tokenizer") is JsonElement pre ? Describe(tokenizer, pre) : "none";
        bool wholeWords = tokenizer.Section("model").Flag("ignore_merges", missing: false);
        foreach ((string known, bool whole, string name) in Known)
            if (steps == known && wholeWords == whole) return name;
        throw new NotSupportedException($"{tokenizer.Path}: the pre-tokenizer '{HubConfig.Show(steps)}'{(wholeWords ? " with 'ignore_merges'" : "")} is not one that MambaRT knows; known are {string.Join(", ", Known.Select(k => k.Name))}. Choose another checkpoint.");
    }

    /// <summary>What a tokenizer does to text first, or null for nothing.</summary>
    /// <exception cref="NotSupportedException">It does more than compose characters (NFC), as a tokenizer for words does.</exception>
    public static string? Normalizer(HubConfig tokenizer)
    {
        if (tokenizer.Get("normalizer") is not JsonElement normalizer) return null;
        string kind = Text(tokenizer, normalizer, "type") ?? "unknown";
        if (kind == "Sequence" && normalizer.TryGetProperty("normalizers", out JsonElement steps) && steps.ValueKind == JsonValueKind.Array)
            kind = string.Join(' ', steps.EnumerateArray().Select(step => Text(tokenizer, step, "type") ?? "unknown"));
        return kind.Length == 0 ? null : kind == "NFC" ? kind
            : throw new NotSupportedException($"{tokenizer.Path}: the normalizer '{HubConfig.Show(kind)}' changes text in a way that GGUF cannot express. Choose another checkpoint.");
    }

    /// <summary>The special token that the tokenizer puts before every text by its template, or null.</summary>
    public static string? FirstAdded(HubConfig tokenizer)
    {
        if (tokenizer.Get("post_processor") is not JsonElement post) return null;
        JsonElement? template = Text(tokenizer, post, "type") == "Sequence" && post.TryGetProperty("processors", out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray().Where(step => Text(tokenizer, step, "type") == "TemplateProcessing").Select(step => (JsonElement?)step).FirstOrDefault()
            : Text(tokenizer, post, "type") == "TemplateProcessing" ? post : null;
        if (template?.TryGetProperty("single", out JsonElement single) != true || single.ValueKind != JsonValueKind.Array || single.GetArrayLength() == 0) return null;
        return single[0].ValueKind == JsonValueKind.Object && single[0].TryGetProperty("SpecialToken", out JsonElement special) ? Text(tokenizer, special, "id") : null;
    }

    /// <summary>Writes the steps of one of <see cref="Known"/> as tokenizer.json has them.</summary>
    public static void Write(Utf8JsonWriter json, string name)
    {
        if (name == "gpt-2")
        {
            WriteByteLevel(json, useRegex: true);
            return;
        }
        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        switch (name)
        {
            case "refact":
                WriteStep(json, "Digits", () => json.WriteBoolean("individual_digits", true));
                WriteByteLevel(json, useRegex: true);
                break;
            case "falcon":
                WriteStep(json, "Punctuation", () => json.WriteString("behavior", "Contiguous"));
                WriteByteLevel(json, useRegex: true);
                WriteStep(json, "Digits", () => json.WriteBoolean("individual_digits", false));
                WriteSplit(json, "[0-9][0-9][0-9]");
                break;
            default:
                WriteSplit(json, name == "qwen2" ? Qwen2 : Llama3);
                WriteByteLevel(json, useRegex: false);
                break;
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes the step that spells bytes as characters; as a decoder it does the reverse.</summary>
    public static void WriteByteLevel(Utf8JsonWriter json, bool useRegex) => WriteStep(json, "ByteLevel", () =>
    {
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
    });

    private static void WriteSplit(Utf8JsonWriter json, string pattern) => WriteStep(json, "Split", () =>
    {
        json.WriteStartObject("pattern");
        json.WriteString("Regex", pattern);
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
    });

    /// <summary>Writes a step: its kind, and what belongs to it.</summary>
    public static void WriteStep(Utf8JsonWriter json, string type, Action write)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
        write();
        json.WriteEndObject();
    }

    private static string Describe(HubConfig file, JsonElement step) => Text(file, step, "type") switch
    {
        "Sequence" when step.TryGetProperty("pretokenizers", out JsonElement steps) && steps.ValueKind == JsonValueKind.Array =>
            string.Join(' ', steps.EnumerateArray().Select(inner => Describe(file, inner))),
        "ByteLevel" => Is(step, "add_prefix_space", absent: true) ? "ByteLevel(add_prefix_space)"
            : Is(step, "use_regex", absent: true) ? "ByteLevel" : "ByteLevel(no regex)",
        "Digits" => Is(step, "individual_digits", absent: false) ? "Digits(individual)" : "Digits",
        "Punctuation" => $"Punctuation({Text(file, step, "behavior") ?? "Isolated"})",
        "Split" => Split(file, step),
        string other => other,
        null => "unknown",
    };

    private static string Split(HubConfig file, JsonElement step)
    {
        string pattern = step.TryGetProperty("pattern", out JsonElement p) ? Text(file, p, "Regex") ?? $"text {Text(file, p, "String")}" : "unknown";
        return Text(file, step, "behavior") is null or "Isolated" && !Is(step, "invert", absent: false) ? $"Split({pattern})" : $"Split otherwise({pattern})";
    }

    private static bool Is(JsonElement step, string flag, bool absent) =>
        step.TryGetProperty(flag, out JsonElement value) ? value.ValueKind == JsonValueKind.True : absent;

    private static string? Text(HubConfig file, JsonElement step, string key) =>
        step.ValueKind == JsonValueKind.Object && step.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? file.String(value, key) : null;
}
