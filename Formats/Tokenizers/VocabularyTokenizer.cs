namespace MambaRT.Formats;

/// <summary>What tokenizers with a vocabulary share: special tokens, the table of bytes, words through the cache to the merger.</summary>
internal abstract class VocabularyTokenizer : ITokenizer
{
    private readonly SpecialTokens _userDefined;
    private readonly SpecialTokens _allSpecial;
    private readonly StopTokens _stops;
    private readonly int[] _unused;
    private readonly WordCache _cache = new();
    private byte[] _bytes = [];
    private int[] _starts = [];   // of each token in _bytes, and the end

    protected VocabularyTokenizer(Vocabulary vocabulary, StopTokens stops)
    {
        Vocabulary = vocabulary;
        _stops = stops;
        stops.Complete(vocabulary);
        _unused = [.. Enumerable.Range(0, vocabulary.Count).Where(token => vocabulary.IsUnused(token) && !stops.IsEnd(token))];
        _userDefined = new SpecialTokens(vocabulary, withControl: false);
        _allSpecial = new SpecialTokens(vocabulary, withControl: true);
    }

    public int VocabularySize => Vocabulary.Count;

    public bool HasVocabulary => true;

    public int Bos => _stops.Bos;

    public int Eos => _stops.Eos;

    public int Eot => _stops.Eot;

    public bool AddBos => _stops.AddBos;

    public bool AddEos => _stops.AddEos;

    protected Vocabulary Vocabulary { get; }

    protected int Unknown => _stops.Unknown;

    public ReadOnlySpan<int> UnusedTokens => _unused;

    public bool IsEndOfGeneration(int token) => _stops.IsEnd(token);

    public TokenMatching Matching(int token)
    {
        CheckToken(token);
        return Vocabulary.Matchings[token];
    }

    public int[] Encode(ReadOnlySpan<char> text, bool parseSpecial, TextPlace place)
    {
        var run = new EncodingRun(this);
        SpecialTokens specials = parseSpecial ? _allSpecial : _userDefined;
        for (int from = 0; from < text.Length;)
        {
            int special = specials.Find(text, from, out int start, out int end);
            if (start > from) Split(text[from..start], place, run);
            if (special >= 0) run.Tokens.Add(special);
            place = TextPlace.AfterSpecial;
            from = end;
        }
        return run.Tokens.ToArray();
    }

    public ReadOnlySpan<byte> Decode(int token, bool renderSpecial)
    {
        CheckToken(token);
        return !renderSpecial && Vocabulary.Kind(token) is TokenKind.Control or TokenKind.Unknown
            ? default : _bytes.AsSpan(_starts[token].._starts[token + 1]);
    }

    public string Spelling(int token)
    {
        CheckToken(token);
        return Vocabulary.Spelling(token);
    }

    /// <summary>Hands the words of <paramref name="text"/> to <paramref name="run"/>.</summary>
    /// <param name="text">Text without special tokens, not empty.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="run">Takes the words.</param>
    protected abstract void Split(ReadOnlySpan<char> text, TextPlace place, EncodingRun run);

    /// <summary>Most symbols that <paramref name="units"/> UTF-16 units can start as.</summary>
    protected abstract int MaxSymbols(int units);

    /// <summary>Writes the symbols that <paramref name="word"/> starts as, and returns their number.</summary>
    protected abstract int Start(ReadOnlySpan<char> word, Span<int> symbols);

    /// <summary>Writes tokens for a symbol that is none.</summary>
    protected abstract void Spell(int symbol, List<int> tokens);

    protected abstract IMerges Merges { get; }

    /// <summary>Fills the table behind <see cref="Decode"/>; to be called once, when the vocabulary's bytes can be told.</summary>
    protected void FillBytes(Func<int, byte[]> bytesOf)
    {
        using var table = new MemoryStream();
        _starts = new int[VocabularySize + 1];
        for (int token = 0; token < VocabularySize; token++)
        {
            table.Write(bytesOf(token));
            _starts[token + 1] = checked((int)table.Length);
        }
        _bytes = table.ToArray();
    }

    private void CheckToken(int token)
    {
        if ((uint)token >= (uint)VocabularySize)
            throw new ArgumentOutOfRangeException(nameof(token), $"Token {token} is not in the vocabulary; ids are 0 to {VocabularySize - 1}.");
    }

    /// <summary>Output and working storage of one call of <see cref="Encode"/>.</summary>
    protected sealed class EncodingRun(VocabularyTokenizer owner)
    {
        private readonly PairMerger _merger = new(owner.Merges);
        private int[] _symbols = new int[owner.MaxSymbols(64)];

        public List<int> Tokens { get; } = [];

        /// <summary>Adds the tokens of a word: no merge crosses its ends.</summary>
        public void AddWord(ReadOnlySpan<char> word)
        {
            bool isShort = word.Length <= WordCache.MaxWord;
            if (isShort && owner._cache.TryGet(word, out ReadOnlySpan<int> known))
            {
                Tokens.AddRange(known);
                return;
            }
            int before = Tokens.Count;
            if (_symbols.Length < owner.MaxSymbols(word.Length)) _symbols = new int[owner.MaxSymbols(word.Length)];
            int count = owner.Start(word, _symbols);
            count = _merger.Merge(_symbols.AsSpan(0, count));
            foreach (int symbol in _symbols.AsSpan(0, count))
            {
                if (symbol >= 0) Tokens.Add(symbol);
                else owner.Spell(symbol, Tokens);
            }
            if (isShort) owner._cache.Set(word, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(Tokens)[before..]);
        }
    }
}
