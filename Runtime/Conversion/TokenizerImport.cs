using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Turns tokenizer files into <c>tokenizer.ggml.*</c>, with the checkpoint's chat template and recommended sampling.</summary>
internal sealed class TokenizerImport
{
    private const string Prefix = "tokenizer.";
    private const string Ggml = "tokenizer.ggml.";

    private readonly HubCheckpoint _checkpoint;
    private readonly GgufMetadata _metadata;
    private readonly string _folder;
    private readonly int _rows;
    private readonly HubConfig? _settings;
    private readonly HubConfig? _generation;
    private readonly List<string> _notes = [];

    private TokenizerImport(HubCheckpoint checkpoint, string folder, GgufMetadata metadata)
    {
        _checkpoint = checkpoint;
        _folder = folder;
        _metadata = metadata;
        _rows = checkpoint.Config.Size("vocab_size");
        _settings = HubConfig.TryRead(Path.Combine(folder, "tokenizer_config.json"));
        _generation = HubConfig.TryReadAdvice(Path.Combine(checkpoint.Directory, "generation_config.json"), _notes);
    }

    /// <summary>Writes all keys about text; without a tokenizer it becomes a file of token ids only.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="from">A folder or a GGUF file to take the tokenizer from; null for the checkpoint's folder.</param>
    /// <param name="metadata">Takes the keys.</param>
    /// <returns>What a user should know.</returns>
    /// <exception cref="IOException">There is no such folder or file.</exception>
    /// <exception cref="FormatException">The files are damaged or disagree.</exception>
    /// <exception cref="NotSupportedException">The tokenizer is of another kind than byte-level BPE and SentencePiece BPE, or cuts text in an unknown way.</exception>
    public static List<string> Write(HubCheckpoint checkpoint, string? from, GgufMetadata metadata)
    {
        bool isFile = from is not null && File.Exists(from);
        if (from is not null && !isFile && !Directory.Exists(from))
            throw new FileNotFoundException($"There is no folder or file '{from}' to take a tokenizer from; give a folder with tokenizer.json, or a .gguf file.", from);
        var import = new TokenizerImport(checkpoint, isFile ? checkpoint.Directory : from ?? checkpoint.Directory, metadata);
        if (isFile) import.CopyFile(from!);   // checked above
        else if (!import.ReadFolder())
        {
            if (from is not null) throw new FileNotFoundException($"{from}: there is no tokenizer.json, no tokenizer.model and no vocab.json with merges.txt; give a folder with one of them, or a .gguf file.", from);
            import.WriteNone();
        }
        if (import.ChatTemplate() is string template) metadata.Set(Prefix + "chat_template", template);
        if (import._generation is not null) SamplingImport.Write(import._generation, metadata, import._notes);
        return import._notes;
    }

    /// <summary>The files that a tokenizer may be taken from: all of a folder's, or those that a model lies in.</summary>
    public static IEnumerable<string> FilesOf(string from)
    {
        if (!File.Exists(from)) return HubCheckpoint.FilesOf(from);
        using GgufFile file = GgufFile.Open(from);
        return [.. file.PartPaths];
    }

    private void WriteNone()
    {
        _metadata.Set(Ggml + "model", "no_vocab");
        _notes.Add("There are no tokenizer files: the file has no vocabulary and takes token ids only; a tokenizer can be taken from another folder or GGUF file.");
        WriteStops([], null, []);
    }

    private bool ReadFolder()
    {
        string? pieces = SentencePieceImport.FindFile(_folder);
        HubConfig? tokenizer = HubConfig.TryRead(Path.Combine(_folder, "tokenizer.json"));
        if (tokenizer is null && pieces is null) tokenizer = SlowVocabulary.TryRead(_folder, _settings, _notes);
        if (tokenizer is null && pieces is null) return false;
        AddedTokens added = AddedTokens.Read(_folder, _settings, tokenizer);
        SentencePieceSteps? steps = tokenizer is not null && SentencePieceSteps.Has(tokenizer) ? new SentencePieceSteps(tokenizer) : null;
        if (pieces is not null && (tokenizer is null || steps?.IsItsOwn == false)) WriteSentencePiece(pieces, added, steps);
        else if (steps is not null) WriteSentencePiece(tokenizer!, added, steps);   // the steps are its
        else WriteBytePair(tokenizer!, added);   // else there are pieces
        Tokenizer.Create(_metadata);   // refuses what a reader of the file would refuse
        return true;
    }

    private void WriteBytePair(HubConfig tokenizer, AddedTokens added)
    {
        var vocabulary = new VocabularyImport(tokenizer, _rows, added, _notes);
        _metadata.Set(Ggml + "model", "gpt2");
        _metadata.Set(Ggml + "pre", PreTokenizerImport.Name(tokenizer));
        vocabulary.Write(_metadata);
        NotePadding(vocabulary.Table.Padding);
        if (PreTokenizerImport.Normalizer(tokenizer) is string normalizer) NoteNormalizer(normalizer);
        WriteStops([], Id("bos_token"), [Id("eos_token") ?? -1]);
        WriteAdded(bosByDefault: PreTokenizerImport.FirstAdded(tokenizer) is string first && vocabulary.Table.Find(first) == _metadata.TryGetInt32(Ggml + "bos_token_id"));

        int? Id(string role) => added.Named(role) is string token ? vocabulary.Table.Find(token) : null;
    }

    private void WriteSentencePiece(string path, AddedTokens added, SentencePieceSteps? steps)
    {
        var vocabulary = new SentencePieceImport(path, added, _rows, _notes);
        WriteSentencePiece(vocabulary.Table, vocabulary.Write, SentencePieceSteps.Prefix(_settings, steps, vocabulary.AddsSpacePrefix), vocabulary.Normalizer, vocabulary.Unknown);
        // Mamba-Codestral's config.json names <unk> as both, so the tokenizer's own come first.
        WriteStops([vocabulary.Eos], added.Named("bos_token") is string bos && vocabulary.Table.Find(bos) is int id ? id : vocabulary.Bos, [], never: vocabulary.Unknown);
        WriteAdded(bosByDefault: true);   // as LLaMA's tokenizer, the first of its kind, does
    }

    private void WriteSentencePiece(HubConfig tokenizer, AddedTokens added, SentencePieceSteps steps)
    {
        steps.Check();
        var vocabulary = new VocabularyImport(tokenizer, _rows, added, _notes);
        WriteSentencePiece(vocabulary.Table, keys => vocabulary.WriteWithScores(keys, steps.Splits), SentencePieceSteps.Prefix(_settings, steps, model: true), steps.Normalizer, vocabulary.Unknown);
        WriteStops([Id("eos_token") ?? -1], Id("bos_token"), [], never: vocabulary.Unknown);
        WriteAdded(bosByDefault: _settings?.Text("tokenizer_class")?.Contains("Llama", StringComparison.Ordinal) == true
            || (PreTokenizerImport.FirstAdded(tokenizer) is string first && vocabulary.Table.Find(first) == _metadata.TryGetInt32(Ggml + "bos_token_id")));

        int? Id(string role) => added.Named(role) is string token ? vocabulary.Table.Find(token) : null;
    }

    private void WriteSentencePiece(TokenTable table, Action<GgufMetadata> writeTokens, SpacePrefix prefix, string? normalizer, int unknown)
    {
        _metadata.Set(Ggml + "model", "llama");
        _metadata.Set(Ggml + "pre", "default");
        writeTokens(_metadata);
        prefix.Write(_metadata);
        if (unknown >= 0) _metadata.Set(Ggml + "unknown_token_id", (uint)unknown);
        NotePadding(table.Padding);
        if (normalizer is not null) NoteNormalizer(normalizer);
    }

    /// <summary>Takes every key about text from a GGUF file, with as many tokens as the embedding has rows.</summary>
    private void CopyFile(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        if (file.Metadata.TryGetString(Ggml + "model") is null or "no_vocab" or "none")
            throw new FormatException($"{path}: the file has no vocabulary to take; choose one that has.");
        foreach ((string key, GgufValue value) in file.Metadata.Entries)
            if (key.StartsWith(Prefix, StringComparison.Ordinal)) _metadata.Set(key, value.Value);
        TokenTable.Fit(_metadata, path, _rows);
        Tokenizer.Create(_metadata);
        if (Tokenizer.GuessedPreTokenizer(_metadata) is string guess)
            _notes.Add($"'{path}' does not name its pre-tokenizer ({Ggml}pre), and neither does the file made with it: '{guess}' will be guessed, which may not be the model's way of cutting text into words.");
    }

    private void NotePadding(int rows)
    {
        if (rows > 0) _notes.Add($"The embedding has {rows} rows more than the tokenizer has tokens; they are named [PAD…] and marked unused.");
    }

    private void NoteNormalizer(string name) =>
        _notes.Add($"The tokenizer normalizes text ({HubConfig.Show(name)}), which GGUF cannot express: text is taken as it comes.");

    /// <summary>Ends of text: the main one is config.json's; what else ends a generation is the end of a turn, then of a message.</summary>
    /// <param name="before">Ends that go before those; negative ids are none.</param>
    /// <param name="bos">The beginning of a text if the tokenizer names one.</param>
    /// <param name="after">Ends that come last.</param>
    /// <param name="never">A token that ends nothing whatever config.json says.</param>
    private void WriteStops(IEnumerable<int> before, int? bos, IEnumerable<int> after, int never = -1)
    {
        HubConfig config = _checkpoint.Config;
        IEnumerable<int> ends = [.. before, .. Ids(config, "eos_token_id"), .. _generation is null ? [] : Ids(_generation, "eos_token_id"), .. after];
        string[] keys = ["eos_token_id", "eot_token_id", "eom_token_id"];
        foreach ((string key, int end) in keys.Zip(ends.Where(id => id >= 0 && id != never).Distinct())) Set(key, end);
        if (bos is >= 0) Set("bos_token_id", bos.Value);
        else if (Ids(config, "bos_token_id") is [int first, ..]) Set("bos_token_id", first);
        if (Ids(config, "pad_token_id") is [int padding, ..]) Set("padding_token_id", padding);

        int[] Ids(HubConfig file, string key) => file.Ids(key, _rows, _notes);
        void Set(string key, int token) => _metadata.Set(Ggml + key, (uint)token);
    }

    private void WriteAdded(bool bosByDefault)
    {
        bool hasBos = _metadata.Contains(Ggml + "bos_token_id"), hasEos = _metadata.Contains(Ggml + "eos_token_id");
        _metadata.Set(Ggml + "add_bos_token", hasBos && (_settings?.Flag("add_bos_token", missing: bosByDefault) ?? bosByDefault));
        _metadata.Set(Ggml + "add_eos_token", hasEos && (_settings?.Flag("add_eos_token", missing: false) ?? false));
    }

    /// <summary>The template, from its own file or from tokenizer_config.json, where it may be one of a named list.</summary>
    private string? ChatTemplate()
    {
        string path = Path.Combine(_folder, "chat_template.jinja");
        if (File.Exists(path))
        {
            LfsPointer.Refuse(path);
            return File.ReadAllText(path);
        }
        if (_settings?.Get("chat_template") is not JsonElement template) return null;
        if (template.ValueKind != JsonValueKind.Array) return _settings.String(template, "chat_template");
        foreach (JsonElement item in template.EnumerateArray())
            if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String
                && name.ValueEquals("default") && item.TryGetProperty("template", out JsonElement text)) return _settings.String(text, "chat_template");
        return null;
    }
}
