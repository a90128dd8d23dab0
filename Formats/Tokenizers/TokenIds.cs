namespace MambaRT.Formats;

/// <summary>Stands in where a file has no vocabulary: ids have a number and an end, but no text.</summary>
internal sealed class TokenIds : ITokenizer
{
    private readonly string _subject;
    private readonly StopTokens _stops;

    public TokenIds(GgufMetadata metadata)
    {
        _subject = metadata.Subject;
        VocabularySize = metadata.GetInt32(metadata.GetString("general.architecture") + ".vocab_size", 1);
        _stops = new StopTokens(metadata, bos: -1, eos: -1, addBos: false);
    }

    public int VocabularySize { get; }

    public bool HasVocabulary => false;

    public int Bos => _stops.Bos;

    public int Eos => _stops.Eos;

    public int Eot => _stops.Eot;

    public bool AddBos => _stops.AddBos;

    public bool AddEos => _stops.AddEos;

    public ReadOnlySpan<int> UnusedTokens => [];

    public bool IsEndOfGeneration(int token) => _stops.IsEnd(token);

    public int[] Encode(ReadOnlySpan<char> text, bool parseSpecial, TextPlace place) => throw NoText();

    public ReadOnlySpan<byte> Decode(int token, bool renderSpecial) => throw NoText();

    public string Spelling(int token) => throw NoText();

    public TokenMatching Matching(int token) => TokenMatching.None;

    private NotSupportedException NoText() =>
        new($"{_subject}: the file has no vocabulary (tokenizer 'no_vocab'), so text cannot be used; give token ids only.");
}
