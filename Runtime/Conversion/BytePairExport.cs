using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Writes a BPE vocabulary as tokenizer.json: a byte-level one, or one of SentencePiece's kind that was made of such a file.</summary>
internal sealed class BytePairExport
{
    private const string Ggml = "tokenizer.ggml.";
    private const string SpmMerges = Ggml + "spm_merges";

    private readonly string[] _tokens;
    private readonly int[] _kinds;
    private readonly string[] _merges;
    private readonly string? _pre;           // of a byte-level vocabulary
    private readonly SpacePrefix _prefix;   // of the other kind
    private readonly TokenMatchings _matchings;
    private readonly string? _unknown;
    private readonly string? _first;
    private readonly int _firstId;

    private BytePairExport(GgufMetadata metadata, string? pre)
    {
        _pre = pre;
        _prefix = SpacePrefix.Read(metadata);
        _tokens = metadata.TryGetStrings(Ggml + "tokens")!;   // Tokenizer.Create has looked
        _kinds = metadata.TryGetInt32s(Ggml + "token_type") ?? [.. _tokens.Select(_ => TokenTable.Normal)];
        _merges = metadata.TryGetStrings(pre is null ? SpmMerges : Ggml + "merges")!;   // likewise
        _matchings = new TokenMatchings(metadata, _tokens.Length);
        _unknown = pre is null && NamedTokens.Find(metadata, "unknown_token_id") is int unknown ? _tokens[unknown] : null;
        _firstId = NamedTokens.Find(metadata, "bos_token_id") ?? -1;
        _first = _firstId >= 0 && metadata.TryGetBool(Ggml + "add_bos_token") == true ? _tokens[_firstId] : null;
    }

    /// <summary>Whether a vocabulary of SentencePiece's kind was made of a tokenizer.json.</summary>
    public static bool IsSentencePiece(GgufMetadata metadata) => metadata.TryGetString(Ggml + "model") == "llama" && metadata.Contains(SpmMerges);

    /// <summary>Reads a vocabulary; null, with a note, for one that tokenizer.json cannot hold.</summary>
    /// <exception cref="FormatException">The vocabulary is damaged.</exception>
    public static BytePairExport? TryCreate(GgufMetadata metadata, List<string> notes)
    {
        Tokenizer.Create(metadata);   // refuses what does not fit together
        string? pre = IsSentencePiece(metadata) ? null : PreTokenizerImport.Known.FirstOrDefault(known => known.Name == Tokenizer.PreTokenizerFamily(metadata)).Name;
        if (pre is null && !IsSentencePiece(metadata))
        {
            notes.Add($"The pre-tokenizer '{HubConfig.Show(metadata.TryGetString(Ggml + "pre") ?? "default")}' has no counterpart in tokenizer.json, so there is none.");
            return null;
        }
        var vocabulary = new BytePairExport(metadata, pre);
        if (vocabulary.Kept().GroupBy(id => vocabulary._tokens[id], StringComparer.Ordinal).FirstOrDefault(same => same.Skip(1).Any()) is not { } twice) return vocabulary;
        notes.Add($"Tokens {string.Join(" and ", twice)} are both spelled '{HubConfig.Show(twice.Key)}', which tokenizer.json cannot hold, so there is none.");
        return null;
    }

    /// <summary>Writes the file's keys into an open object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAdded(json);
        if (_pre is null) SentencePieceSteps.Write(json, _prefix);
        else WriteByteLevel(json, _pre);
        WriteTemplate(json);
        WriteModel(json);
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string pre)
    {
        json.WriteNull("normalizer");
        json.WritePropertyName("pre_tokenizer");
        PreTokenizerImport.Write(json, pre);
        json.WritePropertyName("decoder");
        PreTokenizerImport.WriteByteLevel(json, useRegex: true);
    }

    /// <summary>Tokens that are more than rows of the embedding without one.</summary>
    private IEnumerable<int> Kept() => Enumerable.Range(0, _tokens.Length).Where(id => _kinds[id] != TokenTable.Unused);

    private void WriteAdded(Utf8JsonWriter json)
    {
        json.WriteStartArray("added_tokens");
        foreach (int id in Kept().Where(id => IsAdded(_kinds[id])))
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            WriteAdded(json, _tokens[id], _kinds[id], _matchings[id]);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>Writes what is said of an added token, but for its id, into an open object.</summary>
    public static void WriteAdded(Utf8JsonWriter json, string content, int kind, TokenMatching matching)
    {
        json.WriteString("content", content);
        json.WriteBoolean("single_word", matching.HasFlag(TokenMatching.SingleWord));
        json.WriteBoolean("lstrip", matching.HasFlag(TokenMatching.StripsLeft));
        json.WriteBoolean("rstrip", matching.HasFlag(TokenMatching.StripsRight));
        json.WriteBoolean("normalized", false);
        json.WriteBoolean("special", kind != TokenTable.UserDefined);
    }

    /// <summary>Whether tokens of a kind are looked for in a text before it is merged.</summary>
    public static bool IsAdded(int kind) => kind is TokenTable.Control or TokenTable.Unknown or TokenTable.UserDefined;

    /// <summary>A token that the model wants before every text is written as a template, the only way that transformers heeds.</summary>
    private void WriteTemplate(Utf8JsonWriter json)
    {
        if (_first is null)
        {
            json.WriteNull("post_processor");
            return;
        }
        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        WriteParts("single", "A");
        WriteParts("pair", "A", "B");
        json.WriteStartObject("special_tokens");
        json.WriteStartObject(_first);
        json.WriteString("id", _first);
        WriteOne("ids", () => json.WriteNumberValue(_firstId));
        WriteOne("tokens", () => json.WriteStringValue(_first));
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();

        void WriteParts(string name, params ReadOnlySpan<string> sequences)
        {
            json.WriteStartArray(name);
            WritePart("SpecialToken", _first);
            foreach (string sequence in sequences) WritePart("Sequence", sequence);
            json.WriteEndArray();
        }

        void WritePart(string kind, string id)
        {
            json.WriteStartObject();
            json.WriteStartObject(kind);
            json.WriteString("id", id);
            json.WriteNumber("type_id", 0);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        void WriteOne(string name, Action write)
        {
            json.WriteStartArray(name);
            write();
            json.WriteEndArray();
        }
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string absent in (ReadOnlySpan<string>)["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) json.WriteNull(absent);
        json.WriteString("unk_token", _unknown);
        json.WriteBoolean("fuse_unk", _pre is null);
        json.WriteBoolean("byte_fallback", _pre is null);
        json.WriteBoolean("ignore_merges", _pre is not null && PreTokenizerImport.Known.First(known => known.Name == _pre).WholeWords);
        json.WriteStartObject("vocab");
        foreach (int id in Kept()) json.WriteNumber(_tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (string merge in SpelledMerges()) json.WriteStringValue(merge);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Merges of tokens to a token: a vocabulary that was cut short has others, which GGUF's readers leave out and tokenizer.json's refuse.</summary>
    private IEnumerable<string> SpelledMerges()
    {
        HashSet<string> spellings = [.. Kept().Select(id => _tokens[id])];
        foreach (string merge in _merges)
        {
            int space = merge.IndexOf(' ', 1);   // a part is never empty, so the first character is no separator
            if (spellings.Contains(merge[..space]) && spellings.Contains(merge[(space + 1)..]) && spellings.Contains(merge.Remove(space, 1))) yield return merge;
        }
    }
}
