using System.Globalization;
using System.Text;

namespace MambaRT.Formats;

/// <summary>SentencePiece BPE: code points merged to the token of highest score, bytes for what has no token.</summary>
/// <remarks>
/// Two symbols merge when their spellings together are a token; a file
/// that was made of a tokenizer.json lists its merges in a key of our own, as there the order of merging is no matter of the result alone.
/// Source: google/sentencepiece bpe_model.cc; llama.cpp, llm_tokenizer_spm_session.
/// </remarks>
internal sealed class SentencePiece : VocabularyTokenizer
{
    /// <summary>How the vocabulary spells a space (U+2581).</summary>
    public const char Space = '\u2581';

    private const string SpmMergesKey = "tokenizer.ggml.spm_merges";

    private readonly SpacePrefix _prefix;
    private readonly bool _wordsAreApart;
    private readonly int[] _tokenOfByte;
    private readonly Dictionary<int, int> _tokenOfCodePoint = [];

    public SentencePiece(GgufMetadata metadata) : this(metadata, new Vocabulary(metadata))
    {
    }

    private SentencePiece(GgufMetadata metadata, Vocabulary vocabulary) : base(vocabulary, Stops(metadata, vocabulary))
    {
        float[] scores = metadata.TryGetFloats(Vocabulary.ScoresKey)
            ?? throw new FormatException($"{metadata.Subject}: key '{Vocabulary.ScoresKey}' is missing; tokenizer 'llama' needs it. Re-convert the model.");
        vocabulary.CheckLength(Vocabulary.ScoresKey, scores.Length);
        int bad = Array.FindIndex(scores, float.IsNaN);
        if (bad >= 0) throw new FormatException($"{metadata.Subject}: key '{Vocabulary.ScoresKey}' is not a number for token {bad}. Re-convert the model.");
        _prefix = SpacePrefix.Read(metadata);
        _tokenOfByte = FindByteTokens(vocabulary);
        _wordsAreApart = AreWordsApart(vocabulary);
        FindCodePoints();
        Merges = (IMerges?)MergeTable.Read(metadata, SpmMergesKey, vocabulary) ?? new SpelledMerges(vocabulary, scores);
        FillBytes(Bytes);
    }

    protected override IMerges Merges { get; }

    protected override int MaxSymbols(int units) => units;

    protected override void Split(ReadOnlySpan<char> text, TextPlace place, EncodingRun run)
    {
        int prefix = _prefix.Precedes(text, place) ? 1 : 0;
        var spelled = new char[checked(text.Length + prefix)];
        text.CopyTo(spelled.AsSpan(prefix));
        if (prefix > 0) spelled[0] = ' ';
        spelled.AsSpan().Replace(' ', Space);

        int start = 0;
        for (int i = 1; _wordsAreApart && i < spelled.Length; i++)
        {
            if (spelled[i] != Space || spelled[i - 1] == Space) continue;
            run.AddWord(spelled.AsSpan(start..i));
            start = i;
        }
        run.AddWord(spelled.AsSpan(start));
    }

    protected override int Start(ReadOnlySpan<char> word, Span<int> symbols)
    {
        int count = 0;
        foreach (Rune rune in word.EnumerateRunes()) symbols[count++] = SymbolOf(rune);
        return count;
    }

    protected override void Spell(int symbol, List<int> tokens)
    {
        Span<byte> bytes = stackalloc byte[4];
        int count = new Rune(~symbol).EncodeToUtf8(bytes);
        bool hasAll = true;
        foreach (byte value in bytes[..count]) hasAll &= _tokenOfByte[value] >= 0;
        // Characters without bytes that stand together are one unknown token, as SentencePiece and tokenizer.json's 'fuse_unk' have it.
        if (!hasAll && Unknown >= 0 && (tokens.Count == 0 || tokens[^1] != Unknown)) tokens.Add(Unknown);
        if (!hasAll) return;
        foreach (byte value in bytes[..count]) tokens.Add(_tokenOfByte[value]);
    }

    private int SymbolOf(Rune rune) => _tokenOfCodePoint.TryGetValue(rune.Value, out int token) ? token : ~rune.Value;

    private static StopTokens Stops(GgufMetadata metadata, Vocabulary vocabulary) =>
        new(metadata, bos: ControlOr(vocabulary, 1), eos: ControlOr(vocabulary, 2), addBos: true);

    /// <summary>The id that LLaMA's vocabulary has, if it can be meant here.</summary>
    private static int ControlOr(Vocabulary vocabulary, int token) => token < vocabulary.Count && vocabulary.Kind(token) == TokenKind.Control ? token : -1;

    private void FindCodePoints()
    {
        for (int token = 0; token < Vocabulary.Count; token++)
        {
            string spelling = Vocabulary.Spelling(token);
            if (Rune.DecodeFromUtf16(spelling, out Rune rune, out int length) == System.Buffers.OperationStatus.Done
                && length == spelling.Length && Vocabulary.Find(spelling) == token) _tokenOfCodePoint[rune.Value] = token;
        }
    }

    private static int[] FindByteTokens(Vocabulary vocabulary)
    {
        var tokens = new int[256];
        Array.Fill(tokens, -1);
        for (int token = 0; token < vocabulary.Count; token++)
        {
            if (vocabulary.Kind(token) == TokenKind.Byte && ByteOf(vocabulary.Spelling(token)) is int value and >= 0) tokens[value] = token;
        }
        return tokens;
    }

    private static int ByteOf(string spelling) =>
        spelling.Length == 6 && spelling.StartsWith("<0x", StringComparison.Ordinal) && spelling[5] == '>'
        && byte.TryParse(spelling.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : -1;

    /// <summary>Whether no token has a space after anything else: then no merge crosses the beginning of a word.</summary>
    private static bool AreWordsApart(Vocabulary vocabulary)
    {
        for (int token = 0; token < vocabulary.Count; token++)
        {
            ReadOnlySpan<char> spelling = vocabulary.Spelling(token).AsSpan().TrimStart(Space);
            if (spelling.Contains(Space) && vocabulary.Find(vocabulary.Spelling(token)) == token) return false;
        }
        return true;
    }

    private byte[] Bytes(int token) => Vocabulary.Kind(token) switch
    {
        TokenKind.Control or TokenKind.Unknown or TokenKind.UserDefined => Vocabulary.RawBytes(token),
        TokenKind.Byte when ByteOf(Vocabulary.Spelling(token)) is int value and >= 0 => [(byte)value],
        _ => Encoding.UTF8.GetBytes(Vocabulary.Spelling(token).Replace(Space, ' ')),
    };
}
