using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Tokens, scores and kinds of a SentencePiece model, with the tokens that were added to it later.</summary>
internal sealed class SentencePieceImport
{
    // Mistral appends the version of its tokenizer to the name.
    private static readonly string[] FileNames = ["tokenizer.model", "tokenizer.model.v3", "tokenizer.model.v2", "tokenizer.model.v1"];

    private readonly SentencePieceModel _model;

    /// <param name="path">tokenizer.model.</param>
    /// <param name="settings">tokenizer_config.json, which lists added tokens.</param>
    /// <param name="rows">Rows of the embedding: ids run below it.</param>
    /// <exception cref="FormatException">The file is damaged, or a token has no row.</exception>
    /// <exception cref="NotSupportedException">The model does not merge pairs.</exception>
    public SentencePieceImport(string path, HubConfig? settings, int rows)
    {
        _model = SentencePieceModel.Read(path);
        Table = new TokenTable(path, rows);
        for (int id = 0; id < _model.Pieces.Count; id++) Table.Add(_model.Pieces[id].Spelling, id, _model.Pieces[id].Kind);
        if (settings?.Get("added_tokens_decoder") is not null) AddAdded(settings);
    }

    /// <summary>The tokens.</summary>
    public TokenTable Table { get; }

    /// <summary>Beginning of a text, or −1.</summary>
    public int Bos => _model.Bos;

    /// <summary>End of a text, or −1.</summary>
    public int Eos => _model.Eos;

    /// <summary>The token for what has no other, or −1.</summary>
    public int Unknown => _model.Unknown;

    /// <summary>How the model normalizes text, which is not done here; null for not at all.</summary>
    public string? Normalizer => _model.Normalizer is "" or "identity" ? null : _model.Normalizer;

    /// <summary>The file in a folder, or null.</summary>
    public static string? FindFile(string folder) => FileNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Writes tokens, scores, kinds and the special ids that only the model names.</summary>
    public void Write(GgufMetadata metadata)
    {
        Table.Write(metadata, [.. _model.Pieces.Select(piece => piece.Score)]);
        metadata.Set("tokenizer.ggml.add_space_prefix", _model.AddsSpacePrefix);
        if (_model.Unknown >= 0 && _model.Unknown < _model.Pieces.Count) metadata.Set("tokenizer.ggml.unknown_token_id", (uint)_model.Unknown);
    }

    private void AddAdded(HubConfig settings)
    {
        HubConfig added = settings.Section("added_tokens_decoder");
        foreach ((string key, JsonElement token) in added.Entries())
        {
            if (!int.TryParse(key, out int id) || token.ValueKind != JsonValueKind.Object || !token.TryGetProperty("content", out JsonElement content))
                throw new FormatException($"{settings.Path}: key 'added_tokens_decoder' is not an object of ids with 'content'; download the file again.");
            bool special = token.TryGetProperty("special", out JsonElement flag) && flag.ValueKind == JsonValueKind.True;
            // Tokens of the model itself are listed again, and keep their kind: only the model knows which are unknown or bytes.
            if (id < 0 || id >= _model.Pieces.Count) Table.Add(settings.String(content, "added_tokens_decoder"), id, special ? TokenTable.Control : TokenTable.UserDefined);
        }
    }
}
