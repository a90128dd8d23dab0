using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Tokens, scores and kinds of a SentencePiece model, with the tokens that were added to it later.</summary>
internal sealed class SentencePieceImport
{
    // Mistral appends the version of its tokenizer to the name.
    private static readonly string[] FileNames = ["tokenizer.model", "tokenizer.model.v3", "tokenizer.model.v2", "tokenizer.model.v1"];

    private readonly SentencePieceModel _model;

    /// <param name="path">tokenizer.model.</param>
    /// <param name="added">Tokens that were added, or that stand inside the model under another spelling or kind.</param>
    /// <param name="rows">Rows of the embedding: ids run below it.</param>
    /// <param name="notes">Takes what a user should know.</param>
    /// <exception cref="FormatException">The file is damaged, or a token has no row.</exception>
    /// <exception cref="NotSupportedException">The model does not merge pairs.</exception>
    public SentencePieceImport(string path, AddedTokens added, int rows, List<string> notes)
    {
        _model = SentencePieceModel.Read(path);
        Table = new TokenTable(path, rows);
        for (int id = 0; id < _model.Pieces.Count; id++)
        {
            (string spelling, _, int kind) = _model.Pieces[id];
            // GGUF's readers look for user-defined tokens in the text as it comes.
            Table.Add(kind == TokenTable.UserDefined ? spelling.Replace('\u2581', ' ') : spelling, id, kind);
        }
        added.AddTo(Table, isSentencePiece: true, notes);
    }

    /// <summary>The tokens.</summary>
    public TokenTable Table { get; }

    /// <summary>Beginning of a text, or −1.</summary>
    public int Bos => Known(_model.Bos);

    /// <summary>End of a text, or −1.</summary>
    public int Eos => Known(_model.Eos);

    /// <summary>The token for what has no other, or −1.</summary>
    public int Unknown => Known(_model.Unknown);

    /// <summary>How the model normalizes text, which is not done here; null for not at all.</summary>
    public string? Normalizer => _model.Normalizer is "" or "identity" ? null : _model.Normalizer;

    /// <summary>The file in a folder, or null.</summary>
    public static string? FindFile(string folder) => FileNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Whether the model puts a space before a text.</summary>
    public bool AddsSpacePrefix => _model.AddsSpacePrefix;

    /// <summary>Writes tokens, scores and kinds.</summary>
    public void Write(GgufMetadata metadata) => Table.Write(metadata, [.. _model.Pieces.Select(piece => piece.Score)]);

    private int Known(int id) => id < _model.Pieces.Count ? id : -1;
}
