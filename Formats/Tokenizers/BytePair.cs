using System.Text;

namespace MambaRT.Formats;

/// <summary>Byte-level BPE (GPT-2 and its kin): words of a pre-tokenizer, as bytes, merged by a list of pairs.</summary>
/// <remarks>
/// The vocabulary spells each byte as one printable character. Merges whose parts or result are no tokens are left out, so a
/// vocabulary that was cut short still spells everything; a byte without a token is dropped, as in llama.cpp.
/// Source: openai/gpt-2 encoder.py; llama.cpp, llm_tokenizer_bpe_session.
/// </remarks>
internal sealed class BytePair : VocabularyTokenizer
{
    private const string MergesKey = "tokenizer.ggml.merges";

    private static readonly char[] CharOfByte = MakeCharOfByte();
    private static readonly short[] ByteOfChar = MakeByteOfChar();

    private readonly PreTokenizer _pre;
    private readonly int[] _symbolOfByte = new int[256];   // a token, or the complement of the byte

    public BytePair(GgufMetadata metadata) : this(metadata, new Vocabulary(metadata), PreTokenizer.Find(metadata.TryGetString(PreTokenizer.Key), metadata.Subject))
    {
    }

    private BytePair(GgufMetadata metadata, Vocabulary vocabulary, PreTokenizer pre)
        : base(vocabulary, new StopTokens(metadata, bos: -1, eos: -1, addBos: pre.AddsBos))
    {
        _pre = pre;
        vocabulary.CheckLength(Vocabulary.ScoresKey, metadata.TryGetFloats(Vocabulary.ScoresKey)?.Length);
        for (int i = 0; i < 256; i++)
        {
            int token = vocabulary.Find(CharOfByte.AsSpan(i, 1));
            _symbolOfByte[i] = token >= 0 ? token : ~i;
        }
        Merges = MergeTable.Read(metadata, MergesKey, vocabulary)
            ?? throw new FormatException($"{metadata.Subject}: key '{MergesKey}' is missing; tokenizer 'gpt2' needs it. Re-convert the model.");
        FillBytes(Bytes);
    }

    protected override IMerges Merges { get; }

    protected override int MaxSymbols(int units) => checked(units * 3);

    protected override void Split(ReadOnlySpan<char> text, TextPlace place, EncodingRun run)
    {
        var words = new Words(run);
        _pre.Split(text, ref words);
    }

    protected override int Start(ReadOnlySpan<char> word, Span<int> symbols)
    {
        Span<byte> bytes = word.Length <= 256 ? stackalloc byte[256 * 3] : new byte[MaxSymbols(word.Length)];
        int count = Encoding.UTF8.GetBytes(word, bytes);
        if (_pre.PrefersWholeWords && FindWhole(bytes[..count]) is int whole and >= 0)
        {
            symbols[0] = whole;
            return 1;
        }
        for (int i = 0; i < count; i++) symbols[i] = _symbolOfByte[bytes[i]];
        return count;
    }

    protected override void Spell(int symbol, List<int> tokens)
    {
    }

    private int FindWhole(ReadOnlySpan<byte> word)
    {
        if (word.Length > Vocabulary.MaxSpelling) return -1;
        Span<char> spelling = stackalloc char[word.Length];
        for (int i = 0; i < word.Length; i++) spelling[i] = CharOfByte[word[i]];
        return Vocabulary.Find(spelling);
    }

    private byte[] Bytes(int token)
    {
        if (Vocabulary.Kind(token) is TokenKind.Control or TokenKind.Unknown or TokenKind.UserDefined) return Vocabulary.RawBytes(token);
        string spelling = Vocabulary.Spelling(token);
        var bytes = new byte[spelling.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            if (spelling[i] >= ByteOfChar.Length || ByteOfChar[spelling[i]] < 0) return Vocabulary.RawBytes(token);   // not spelled in bytes
            bytes[i] = (byte)ByteOfChar[spelling[i]];
        }
        return bytes;
    }

    // Printable bytes of Latin-1 stand for themselves, the others for U+0100 onwards in order.
    private static char[] MakeCharOfByte()
    {
        var chars = new char[256];
        int next = 256;
        for (int i = 0; i < 256; i++) chars[i] = i is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 ? (char)i : (char)next++;
        return chars;
    }

    private static short[] MakeByteOfChar()
    {
        var bytes = new short[CharOfByte.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int i = 0; i < 256; i++) bytes[CharOfByte[i]] = (short)i;
        return bytes;
    }

    private readonly struct Words(EncodingRun run) : IWordSink
    {
        public void Add(ReadOnlySpan<char> word) => run.AddWord(word);
    }
}
