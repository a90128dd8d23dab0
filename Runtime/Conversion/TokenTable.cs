using System.Globalization;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>The tokens of a model to be: one for each row of the embedding, spelled [PAD…] where a tokenizer has none.</summary>
internal sealed class TokenTable
{
    // Numbers of tokenizer.ggml.token_type (enum llama_token_type).
    public const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    /// <summary>Below the score of every token that can be meant; what llama.cpp's converter gives padding.</summary>
    public const float PaddingScore = -10000;

    /// <summary>What llama.cpp's converter gives tokens that were added; they are found before anything is merged.</summary>
    private const float AddedScore = -1000;

    private readonly string _path;
    private readonly string?[] _tokens;
    private readonly int[] _kinds;
    private readonly bool[] _added;   // after the vocabulary's training, or changed since
    private readonly Dictionary<int, TokenMatching> _matchings = [];
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);

    /// <param name="path">The tokenizer's file, for messages.</param>
    /// <param name="rows">Rows of the embedding: ids run below it.</param>
    public TokenTable(string path, int rows)
    {
        _path = path;
        _tokens = new string?[rows];
        _kinds = new int[rows];
        _added = new bool[rows];
        Array.Fill(_kinds, Unused);
    }

    /// <summary>Rows of the embedding.</summary>
    public int Rows => _tokens.Length;

    /// <summary>Rows of the embedding that no token has.</summary>
    public int Padding => _tokens.Count(token => token is null);

    /// <summary>Adds a token, or sets the kind of one that is there.</summary>
    /// <exception cref="FormatException">It has no row, or the id stands for another token.</exception>
    public void Add(string spelling, long id, int kind, TokenMatching matching = TokenMatching.None)
    {
        if (id < 0) throw new FormatException($"{_path}: token '{HubConfig.Show(spelling)}' has the id {id}; a whole number from 0 is needed. Download the file again.");
        if (id >= _tokens.Length)
            throw new FormatException($"{_path}: token '{HubConfig.Show(spelling)}' has the id {id}, but the embedding has {_tokens.Length} rows; every token needs a row. Use the tokenizer that belongs to the checkpoint.");
        if (_tokens[id] is string other && other != spelling)
            throw new FormatException($"{_path}: the id {id} stands for '{HubConfig.Show(other)}' and '{HubConfig.Show(spelling)}'; ids must be unique. Download the file again.");
        _tokens[id] = spelling;
        _kinds[id] = kind;
        _ids[spelling] = (int)id;
        _matchings[(int)id] = matching;
    }

    /// <summary>Adds a token, or gives one that is there another spelling and kind; unknown, byte and control tokens of the same spelling keep their kind.</summary>
    /// <param name="spelling">The new spelling.</param>
    /// <param name="id">Below <see cref="Rows"/>.</param>
    /// <param name="kind">The new kind.</param>
    /// <param name="matching">What it asks of the text around it.</param>
    public void Replace(string spelling, int id, int kind, TokenMatching matching)
    {
        bool same = _tokens[id] == spelling;
        _matchings[id] = matching;
        if (same && (_kinds[id] == kind || _kinds[id] is Unknown or Byte or Control)) return;
        if (!same && _tokens[id] is string old && Find(old) == id) _ids.Remove(old);
        _added[id] = true;
        _tokens[id] = spelling;
        _kinds[id] = kind;
        _ids[spelling] = id;
    }

    /// <summary>Makes a control token of one that may be taken for text.</summary>
    public void MakeControl(int id, TokenMatching matching)
    {
        if (_kinds[id] is not (Normal or UserDefined)) return;
        _kinds[id] = Control;
        _added[id] = true;
        _matchings[id] = matching;
    }

    /// <summary>The id after all tokens; <see cref="Rows"/> if there is no row for it, or ids below it are free.</summary>
    public int NextId => Array.IndexOf(_tokens, null) is int next and >= 0 && Array.FindLastIndex(_tokens, token => token is not null) < next ? next : Rows;

    /// <summary>Whether no token has an id, which lies below <see cref="Rows"/>.</summary>
    public bool IsFree(int id) => _tokens[id] is null;

    /// <summary>Whether a token is an ordinary one.</summary>
    public bool IsText(int id) => _kinds[id] == Normal;

    /// <summary>Whether a spelling may stand for a token when text is merged.</summary>
    public bool CanMerge(string spelling) => Find(spelling) is int id && _kinds[id] is Normal or UserDefined;

    /// <summary>The id of a spelling, or null.</summary>
    public int? Find(string spelling) => _ids.TryGetValue(spelling, out int id) ? id : null;

    /// <summary>Writes tokens and kinds, what special tokens ask of the text around them, and scores if there are any.</summary>
    /// <param name="metadata">Takes the keys.</param>
    /// <param name="scores">A score for each id that has one, or null for a tokenizer without scores.</param>
    public void Write(GgufMetadata metadata, IReadOnlyList<float>? scores = null)
    {
        metadata.Set("tokenizer.ggml.tokens", _tokens.Select((token, i) => token ?? PaddingName(i)).ToArray());
        if (scores is not null) metadata.Set("tokenizer.ggml.scores", Enumerable.Range(0, _tokens.Length).Select(Score).ToArray());
        metadata.Set("tokenizer.ggml.token_type", _kinds);
        TokenMatchings.Write(metadata, _matchings);

        float Score(int id) => _added[id] ? AddedScore : id < scores.Count ? scores[id] : PaddingScore;
    }

    /// <summary>How a row without a token is spelled.</summary>
    public static string PaddingName(int id) => string.Create(CultureInfo.InvariantCulture, $"[PAD{id}]");

    /// <summary>How many tokens there are before the unused ones at the end.</summary>
    public static int CountWithoutPadding(string[] tokens, int[] kinds) => kinds.Length == tokens.Length ? Array.FindLastIndex(kinds, kind => kind != Unused) + 1 : tokens.Length;

    /// <summary>Makes the tokens of a file as many as the embedding has rows.</summary>
    /// <exception cref="FormatException">It has more tokens than the embedding has rows, padding aside.</exception>
    public static void Fit(GgufMetadata metadata, string path, int rows)
    {
        string[] tokens = metadata.TryGetStrings("tokenizer.ggml.tokens") ?? [];
        int[] kinds = metadata.TryGetInt32s("tokenizer.ggml.token_type") ?? [.. tokens.Select(_ => Normal)];
        if (tokens.Length == 0 || kinds.Length != tokens.Length)
            throw new FormatException($"{path}: the file has {tokens.Length} tokens and {kinds.Length} kinds of tokens; a whole vocabulary is needed. Choose another file.");
        int used = CountWithoutPadding(tokens, kinds);
        if (used > rows)
            throw new FormatException($"{path}: the file has {used} tokens, but the embedding has {rows} rows; every token needs a row. Use the tokenizer that belongs to the checkpoint.");
        metadata.Set("tokenizer.ggml.tokens", Enumerable.Range(0, rows).Select(i => i < tokens.Length ? tokens[i] : PaddingName(i)).ToArray());
        metadata.Set("tokenizer.ggml.token_type", Enumerable.Range(0, rows).Select(i => i < tokens.Length ? kinds[i] : Unused).ToArray());
        if (metadata.TryGetFloats("tokenizer.ggml.scores") is float[] scores)
            metadata.Set("tokenizer.ggml.scores", Enumerable.Range(0, rows).Select(i => i < scores.Length ? scores[i] : PaddingScore).ToArray());
    }
}
