using System.Globalization;
using System.Text;

namespace MambaRT.Formats;

/// <summary>Tokens of a file with their kinds, checked against each other.</summary>
internal sealed class Vocabulary
{
    /// <summary>Longest spelling accepted, in UTF-16 units: bounds the work per character of a text.</summary>
    public const int MaxSpelling = 512;

    public const string TokensKey = "tokenizer.ggml.tokens";
    public const string ScoresKey = "tokenizer.ggml.scores";
    private const string KindsKey = "tokenizer.ggml.token_type";

    private readonly string[] _spellings;
    private readonly TokenKind[] _kinds;
    private readonly Dictionary<string, int> _ids;

    /// <exception cref="FormatException">Tokens are missing, too long, or do not match their kinds in number.</exception>
    public Vocabulary(GgufMetadata metadata)
    {
        Subject = metadata.Subject;
        _spellings = metadata.TryGetStrings(TokensKey) ?? [];
        if (_spellings.Length == 0)
            throw new FormatException($"{Subject}: key '{TokensKey}' is missing or empty; an array of strings is needed. Re-convert the model.");
        int[]? kinds = metadata.TryGetInt32s(KindsKey);
        CheckLength(KindsKey, kinds?.Length);
        _kinds = new TokenKind[Count];
        _ids = new Dictionary<string, int>(Count, StringComparer.Ordinal);
        for (int token = 0; token < Count; token++)
        {
            _kinds[token] = kinds is null ? TokenKind.Normal : CheckKind(token, kinds[token]);
            if (_spellings[token].Length > MaxSpelling)
                throw new FormatException($"{Subject}: key '{TokensKey}' has token {token} of {_spellings[token].Length} characters; at most {MaxSpelling} are accepted.");
            if (_kinds[token] is not (TokenKind.Control or TokenKind.Unknown or TokenKind.Byte)) _ids[_spellings[token]] = token;
        }
        Matchings = new TokenMatchings(metadata, Count);
    }

    public string Subject { get; }

    public int Count => _spellings.Length;

    /// <summary>What special tokens ask of the text around them.</summary>
    public TokenMatchings Matchings { get; }

    public string Spelling(int token) => _spellings[token];

    public TokenKind Kind(int token) => _kinds[token];

    /// <summary>Whether a token stands for nothing: by its kind, or because a converter of before 2024 named it [PAD…] by its own id and gave it the kind of a token that stands for itself.</summary>
    public bool IsUnused(int token) => _kinds[token] == TokenKind.Unused
        || (_kinds[token] == TokenKind.UserDefined && _spellings[token].StartsWith("[PAD", StringComparison.Ordinal)
            && _spellings[token] == string.Create(CultureInfo.InvariantCulture, $"[PAD{token}]"));

    /// <summary>The token that a piece of text may become, or −1: control, unknown and byte tokens are never meant by their spelling.</summary>
    public int Find(string spelling) => _ids.TryGetValue(spelling, out int token) ? token : -1;

    /// <inheritdoc cref="Find(string)"/>
    public int Find(ReadOnlySpan<char> spelling) =>
        _ids.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(spelling, out int token) ? token : -1;

    /// <exception cref="FormatException">There is one, and it does not have one element a token.</exception>
    public void CheckLength(string key, int? length)
    {
        if (length is int found && found != Count)
            throw new FormatException($"{Subject}: key '{key}' has {found} elements, key '{TokensKey}' has {Count}; they must agree. Re-convert the model.");
    }

    /// <summary>UTF-8 of the spelling as it stands; lone surrogates become U+FFFD.</summary>
    public byte[] RawBytes(int token) => Encoding.UTF8.GetBytes(_spellings[token]);

    private TokenKind CheckKind(int token, int kind) => kind is >= (int)TokenKind.Undefined and <= (int)TokenKind.Byte
        ? (TokenKind)kind
        : throw new FormatException($"{Subject}: key '{KindsKey}' is {kind} for token {token}; it must be between 0 and 6. Re-convert the model.");
}
