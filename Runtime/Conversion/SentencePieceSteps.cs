using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>What a tokenizer.json of SentencePiece's kind does with spaces before it merges, as its normalizer and pre-tokenizer say; writes the same.</summary>
/// <remarks>Source: huggingface/tokenizers, normalizers/prepend.rs and pre_tokenizers/metaspace.rs; transformers, convert_slow_tokenizer.py (LlamaConverter).</remarks>
internal sealed class SentencePieceSteps
{
    private const string Space = "\u2581";

    private readonly HubConfig _file;
    private readonly List<string> _unknown = [];
    private readonly List<string> _changes = [];
    private bool _prepends;
    private bool _replaces;
    private string? _scheme;   // Metaspace's

    public SentencePieceSteps(HubConfig tokenizer)
    {
        _file = tokenizer;
        if (tokenizer.Get("normalizer") is JsonElement normalizer) Walk(normalizer, "normalizers", ReadNormalizer);
        if (tokenizer.Get("pre_tokenizer") is JsonElement pre) Walk(pre, "pretokenizers", ReadPreTokenizer);
    }

    /// <summary>Whether text is cut before every space, so that no merge crosses one.</summary>
    public bool Splits { get; private set; }

    /// <summary>Whether a tokenizer.model and its settings cannot say the same.</summary>
    public bool IsItsOwn => Splits || (Stated is { Adds: true, Scheme: SpacePrefix.Always });

    /// <summary>What else is done to a text, which is not done here; null for nothing.</summary>
    public string? Normalizer => _changes.Count == 0 ? null : string.Join(' ', _changes);

    private SpacePrefix? Stated =>
        _prepends ? new(true, null) : _scheme is not null ? _scheme == "never" ? new(false, null) : new(true, _scheme) : _replaces ? new(false, null) : null;

    /// <summary>Whether a tokenizer.json is of the kind that SentencePiece trains: spelled in characters, with bytes for what has no token.</summary>
    public static bool Has(HubConfig tokenizer) => tokenizer.Section("model").Flag("byte_fallback", missing: false);

    /// <summary>Where a space is put, by the first that says so: tokenizer_config.json, tokenizer.json, the model.</summary>
    /// <param name="settings">tokenizer_config.json; its "add_prefix_space" makes transformers build the tokenizer anew, by "legacy".</param>
    /// <param name="steps">tokenizer.json, if there is one.</param>
    /// <param name="model">Whether the model adds one.</param>
    public static SpacePrefix Prefix(HubConfig? settings, SentencePieceSteps? steps, bool model)
    {
        bool? adds = settings?.Get("add_prefix_space") is null ? null : settings.Flag("add_prefix_space", missing: false);
        bool? legacy = settings?.Get("legacy") is null ? null : settings.Flag("legacy", missing: false);
        if (adds == false) return new(false, null);
        var plain = new SpacePrefix(adds ?? model, legacy == false ? SpacePrefix.First : null);
        if (adds is not null && legacy is not null) return plain;
        return steps?.Stated is SpacePrefix stated && (stated.Adds || adds is null) ? stated : plain;
    }

    /// <summary>Refuses what would tokenize otherwise in a GGUF file.</summary>
    /// <exception cref="NotSupportedException">There is a step that is not about spaces, or none that spells them.</exception>
    public void Check()
    {
        if (_unknown.Count > 0)
            throw new NotSupportedException($"{_file.Path}: the tokenizer sets 'byte_fallback', so it is of SentencePiece's kind, but has the step '{HubConfig.Show(_unknown[0])}', which GGUF cannot express for such. Choose another checkpoint.");
        if (Stated is null)
            throw new NotSupportedException($"{_file.Path}: the tokenizer sets 'byte_fallback', so it is of SentencePiece's kind, but no step of it spells a space as U+2581, as GGUF has it. Choose another checkpoint.");
    }

    /// <summary>Writes normalizer and pre-tokenizer into an open object.</summary>
    public static void Write(Utf8JsonWriter json, SpacePrefix prefix)
    {
        json.WritePropertyName("normalizer");
        if (prefix is { Adds: true, Scheme: not null }) json.WriteNullValue();
        else WriteSequence("normalizers", prefix.Adds ? [WritePrepend, WriteReplace] : [WriteReplace]);
        json.WritePropertyName("pre_tokenizer");
        if (prefix is not { Adds: true, Scheme: string scheme }) json.WriteNullValue();
        else PreTokenizerImport.WriteStep(json, "Metaspace", () =>
        {
            json.WriteString("replacement", Space);
            json.WriteString("prepend_scheme", scheme);
            json.WriteBoolean("split", false);
        });
        json.WritePropertyName("decoder");
        WriteSequence("decoders", [WriteRestore, () => PreTokenizerImport.WriteStep(json, "ByteFallback", () => { }), () => PreTokenizerImport.WriteStep(json, "Fuse", () => { }), .. prefix.Adds ? (Action[])[WriteStrip] : []]);

        void WriteSequence(string name, Action[] steps) => PreTokenizerImport.WriteStep(json, "Sequence", () =>
        {
            json.WriteStartArray(name);
            foreach (Action step in steps) step();
            json.WriteEndArray();
        });

        void WritePrepend() => PreTokenizerImport.WriteStep(json, "Prepend", () => json.WriteString("prepend", Space));
        void WriteReplace() => WriteReplacement(" ", Space);
        void WriteRestore() => WriteReplacement(Space, " ");

        void WriteReplacement(string text, string by) => PreTokenizerImport.WriteStep(json, "Replace", () =>
        {
            json.WriteStartObject("pattern");
            json.WriteString("String", text);
            json.WriteEndObject();
            json.WriteString("content", by);
        });

        void WriteStrip() => PreTokenizerImport.WriteStep(json, "Strip", () =>
        {
            json.WriteString("content", " ");
            json.WriteNumber("start", 1);
            json.WriteNumber("stop", 0);
        });
    }

    private void Walk(JsonElement step, string list, Action<JsonElement, string> read)
    {
        string kind = Text(step, "type") ?? "unknown";
        if (kind != "Sequence" || !step.TryGetProperty(list, out JsonElement steps) || steps.ValueKind != JsonValueKind.Array) read(step, kind);
        else foreach (JsonElement inner in steps.EnumerateArray()) read(inner, Text(inner, "type") ?? "unknown");
    }

    private void ReadNormalizer(JsonElement step, string kind)
    {
        if (kind == "Prepend" && Text(step, "prepend") == Space) _prepends = true;
        else if (kind == "Replace" && Pattern(step) == " " && Text(step, "content") == Space) _replaces = true;
        else if (kind is "NFC" or "NFKC" or "Nmt" or "Precompiled") _changes.Add(kind);
        else _unknown.Add(kind);
    }

    private void ReadPreTokenizer(JsonElement step, string kind)
    {
        if (kind == "Metaspace" && Text(step, "replacement") is null or Space)
        {
            _scheme = Text(step, "prepend_scheme") ?? (Is(step, "add_prefix_space", absent: true) ? SpacePrefix.Always : "never");
            Splits |= Is(step, "split", absent: true);
            if (_scheme is SpacePrefix.Always or SpacePrefix.First or "never") return;
            _unknown.Add($"Metaspace({_scheme})");
            _scheme = null;
        }
        else if (kind != "Split" || Pattern(step) != " " || !_replaces) _unknown.Add(kind);   // after the normalizer there is no space to split at
    }

    private string? Pattern(JsonElement step) => step.TryGetProperty("pattern", out JsonElement pattern) ? Text(pattern, "String") : null;

    private static bool Is(JsonElement step, string flag, bool absent) => step.TryGetProperty(flag, out JsonElement value) ? value.ValueKind == JsonValueKind.True : absent;

    private string? Text(JsonElement step, string key) =>
        step.ValueKind == JsonValueKind.Object && step.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? _file.String(value, key) : null;
}
