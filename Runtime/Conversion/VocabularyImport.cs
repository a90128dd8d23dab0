using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Tokens, kinds and merges of a byte-level BPE in tokenizer.json.</summary>
internal sealed class VocabularyImport
{
    private readonly HubConfig _file;
    private readonly string[] _merges;

    /// <param name="file">tokenizer.json.</param>
    /// <param name="rows">Rows of the embedding: ids run below it.</param>
    /// <exception cref="FormatException">A token has no row, an id stands for two tokens, or a part is missing or of another type.</exception>
    /// <exception cref="NotSupportedException">The tokenizer is no byte-level BPE that GGUF can express.</exception>
    public VocabularyImport(HubConfig file, int rows)
    {
        _file = file;
        Table = new TokenTable(file.Path, rows);
        JsonElement model = file.Get("model") is JsonElement m && m.ValueKind == JsonValueKind.Object ? m : throw Damaged("model", "an object");
        CheckKind(model);
        if (!model.TryGetProperty("vocab", out JsonElement vocab) || vocab.ValueKind != JsonValueKind.Object) throw Damaged("vocab", "an object of tokens with their ids");
        foreach (JsonProperty token in vocab.EnumerateObject()) Add(file.Name(token), token.Value, TokenTable.Normal);
        AddAdded();
        _merges = model.TryGetProperty("merges", out JsonElement merges) && merges.ValueKind == JsonValueKind.Array
            ? [.. merges.EnumerateArray().Select(Merge)]
            : throw Damaged("merges", "a list");
    }

    /// <summary>The tokens.</summary>
    public TokenTable Table { get; }

    /// <summary>Whether a tokenizer.json is of the kind that SentencePiece trains: spelled in characters, with bytes for what has no token.</summary>
    public static bool IsSentencePiece(HubConfig file) => file.Section("model").Flag("byte_fallback", missing: false);

    /// <summary>Writes tokens, kinds and merges.</summary>
    public void Write(GgufMetadata metadata)
    {
        Table.Write(metadata);
        metadata.Set("tokenizer.ggml.merges", _merges);
    }

    private void CheckKind(JsonElement model)
    {
        string kind = model.TryGetProperty("type", out JsonElement type) ? _file.String(type, "type") : "unknown";
        if (kind != "BPE")
            throw new NotSupportedException($"{_file.Path}: the tokenizer is of the kind '{HubConfig.Show(kind)}'; MambaRT converts byte-level BPE. Choose another checkpoint.");
        if (IsSentencePiece(_file))
            throw new NotSupportedException($"{_file.Path}: the tokenizer sets 'byte_fallback', so it is of SentencePiece's kind; put its tokenizer.model into the folder.");
        foreach (string affix in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.TryGetProperty(affix, out JsonElement text) && text.ValueKind == JsonValueKind.String && !text.ValueEquals(""))
                throw new NotSupportedException($"{_file.Path}: the tokenizer sets '{affix}', which byte-level BPE in GGUF cannot express. Choose another checkpoint.");
    }

    private void AddAdded()
    {
        if (_file.Get("added_tokens") is not JsonElement added) return;
        if (added.ValueKind != JsonValueKind.Array) throw Damaged("added_tokens", "a list");
        foreach (JsonElement token in added.EnumerateArray())
        {
            if (token.ValueKind != JsonValueKind.Object || !token.TryGetProperty("content", out JsonElement content) || !token.TryGetProperty("id", out JsonElement id))
                throw Damaged("added_tokens", "a list of objects with 'id' and 'content'");
            bool special = token.TryGetProperty("special", out JsonElement flag) && flag.ValueKind == JsonValueKind.True;
            Add(_file.String(content, "added_tokens"), id, special ? TokenTable.Control : TokenTable.UserDefined);
        }
    }

    private void Add(string spelling, JsonElement value, int kind)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out long id))
            throw new FormatException($"{_file.Path}: token '{HubConfig.Show(spelling)}' has the id {HubConfig.Show(value.GetRawText())}; a whole number from 0 is needed. Download the file again.");
        Table.Add(spelling, id, kind);
    }

    /// <summary>A merge is "left right", or the two in a list.</summary>
    private string Merge(JsonElement merge)
    {
        if (merge.ValueKind == JsonValueKind.String) return _file.String(merge, "merges");
        if (merge.ValueKind != JsonValueKind.Array || merge.GetArrayLength() != 2) throw Damaged("merges", "a list of pairs");
        string left = _file.String(merge[0], "merges"), right = _file.String(merge[1], "merges");
        if (left.Contains(' ') || right.Contains(' '))
            throw new NotSupportedException($"{_file.Path}: the merge of '{HubConfig.Show(left)}' and '{HubConfig.Show(right)}' has a space inside, so this is no byte-level BPE. Choose another checkpoint.");
        return $"{left} {right}";
    }

    private FormatException Damaged(string key, string needed) =>
        new($"{_file.Path}: key '{key}' is missing or not {needed}; download the file again.");
}
