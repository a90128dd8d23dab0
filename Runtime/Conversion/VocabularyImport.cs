using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Tokens, kinds and merges of a BPE in tokenizer.json: byte-level, or of SentencePiece's kind, which GGUF gives scores.</summary>
internal sealed class VocabularyImport
{
    private readonly HubConfig _file;
    private readonly bool _isSentencePiece;
    private readonly string[] _merges;

    /// <param name="file">tokenizer.json.</param>
    /// <param name="rows">Rows of the embedding: ids run below it.</param>
    /// <param name="added">Tokens that were added.</param>
    /// <param name="notes">Takes what a user should know.</param>
    /// <exception cref="FormatException">A token has no row, an id stands for two tokens, or a part is missing or of another type.</exception>
    /// <exception cref="NotSupportedException">The tokenizer is no BPE that GGUF can express.</exception>
    public VocabularyImport(HubConfig file, int rows, AddedTokens added, List<string> notes)
    {
        _file = file;
        _isSentencePiece = SentencePieceSteps.Has(file);
        Table = new TokenTable(file.Path, rows);
        JsonElement model = file.Get("model") is JsonElement m && m.ValueKind == JsonValueKind.Object ? m : throw Damaged("model", "an object");
        CheckKind(model);
        if (!model.TryGetProperty("vocab", out JsonElement vocab) || vocab.ValueKind != JsonValueKind.Object) throw Damaged("vocab", "an object of tokens with their ids");
        string? unknown = file.Section("model").Text("unk_token");
        foreach (JsonProperty token in vocab.EnumerateObject()) Add(file.Name(token), token.Value, unknown);
        if (_isSentencePiece && unknown is not null) Unknown = Table.Find(unknown) ?? -1;
        added.AddTo(Table, _isSentencePiece, notes);
        _merges = model.TryGetProperty("merges", out JsonElement merges) && merges.ValueKind == JsonValueKind.Array
            ? [.. merges.EnumerateArray().Select(Merge)]
            : throw Damaged("merges", "a list");
    }

    /// <summary>The tokens.</summary>
    public TokenTable Table { get; }

    /// <summary>The token for what has no other, or −1.</summary>
    public int Unknown { get; } = -1;

    /// <summary>Writes tokens, kinds and merges of a byte-level BPE.</summary>
    public void Write(GgufMetadata metadata)
    {
        Table.Write(metadata);
        metadata.Set("tokenizer.ggml.merges", _merges);
    }

    /// <summary>Writes tokens, kinds, merges and scores of one of SentencePiece's kind.</summary>
    /// <remarks>A score is how late a token is first merged, which is what llama.cpp goes by; the merges themselves are a key of our own.</remarks>
    /// <param name="metadata">Takes the keys.</param>
    /// <param name="splits">Whether text is cut before every space: merges across one never happen.</param>
    public void WriteWithScores(GgufMetadata metadata, bool splits)
    {
        string[] merges = [.. _merges.Where(merge => IsPossible(merge, splits))];
        var scores = new float[Table.Rows];
        for (int id = 0; id < scores.Length; id++) scores[id] = Table.IsFree(id) ? TokenTable.PaddingScore : Table.IsText(id) ? -merges.Length : 0;
        for (int rank = merges.Length - 1; rank >= 0; rank--)
            scores[Table.Find(Result(merges[rank]))!.Value] = -rank;   // IsPossible has found it
        Table.Write(metadata, scores);
        metadata.Set("tokenizer.ggml.spm_merges", merges);
    }

    private bool IsPossible(string merge, bool splits)
    {
        int space = merge.Length < 3 ? -1 : merge.IndexOf(' ', 1);   // a part is never empty, so the first character is no separator
        if (space < 0 || space == merge.Length - 1) throw Damaged("merges", "a list of pairs");
        return Table.CanMerge(merge[..space]) && Table.CanMerge(merge[(space + 1)..]) && Table.CanMerge(Result(merge))
            && !(splits && Result(merge).IndexOf('\u2581', 1) >= 0);
    }

    private static string Result(string merge) => merge.Remove(merge.IndexOf(' ', 1), 1);

    private void CheckKind(JsonElement model)
    {
        // Files of the library's first versions have no kind, which their parts tell.
        string kind = model.TryGetProperty("type", out JsonElement type) && type.ValueKind != JsonValueKind.Null ? _file.String(type, "type")
            : model.TryGetProperty("merges", out _) ? "BPE" : "unknown";
        if (kind != "BPE")
            throw new NotSupportedException($"{_file.Path}: the tokenizer is of the kind '{HubConfig.Show(kind)}'; MambaRT converts BPE. Choose another checkpoint.");
        if (_isSentencePiece && _file.Section("model").Flag("ignore_merges", missing: false))
            throw new NotSupportedException($"{_file.Path}: the tokenizer sets both 'byte_fallback' and 'ignore_merges', which GGUF cannot express. Choose another checkpoint.");
        foreach (string affix in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.TryGetProperty(affix, out JsonElement text) && text.ValueKind == JsonValueKind.String && !text.ValueEquals(""))
                throw new NotSupportedException($"{_file.Path}: the tokenizer sets '{affix}', which BPE in GGUF cannot express. Choose another checkpoint.");
    }

    private void Add(string spelling, JsonElement value, string? unknown)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out long id))
            throw new FormatException($"{_file.Path}: token '{HubConfig.Show(spelling)}' has the id {HubConfig.Show(value.GetRawText())}; a whole number from 0 is needed. Download the file again.");
        Table.Add(spelling, id, !_isSentencePiece ? TokenTable.Normal : spelling == unknown ? TokenTable.Unknown : IsByte(spelling) ? TokenTable.Byte : TokenTable.Normal);
    }

    private static bool IsByte(string spelling) =>
        spelling.Length == 6 && spelling.StartsWith("<0x", StringComparison.Ordinal) && spelling[5] == '>' && char.IsAsciiHexDigit(spelling[3]) && char.IsAsciiHexDigit(spelling[4]);

    /// <summary>A merge is "left right", or the two in a list.</summary>
    private string Merge(JsonElement merge)
    {
        if (merge.ValueKind == JsonValueKind.String) return _file.String(merge, "merges");
        if (merge.ValueKind != JsonValueKind.Array || merge.GetArrayLength() != 2) throw Damaged("merges", "a list of pairs");
        string left = _file.String(merge[0], "merges"), right = _file.String(merge[1], "merges");
        if (left.Contains(' ') || right.Contains(' '))
            throw new NotSupportedException($"{_file.Path}: the merge of '{HubConfig.Show(left)}' and '{HubConfig.Show(right)}' has a space inside, which GGUF cannot express. Choose another checkpoint.");
        return $"{left} {right}";
    }

    private FormatException Damaged(string key, string needed) =>
        new($"{_file.Path}: key '{key}' is missing or not {needed}; download the file again.");
}
