using System.Text;

namespace MambaRT.Formats;

/// <summary>A SentencePiece tokenizer as its training writes it (tokenizer.model).</summary>
/// <remarks>Only what GGUF can hold. Source: google/sentencepiece, src/sentencepiece_model.proto.</remarks>
internal sealed class SentencePieceModel
{
    private const int MaxBytes = 1 << 26, MaxPieces = 1 << 21, BytePair = 2;
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Spelling, score and kind of each token; kinds are numbered as <c>tokenizer.ggml.token_type</c> does, from 1.</summary>
    public IList<(string Spelling, float Score, int Kind)> Pieces { get; } = [];

    /// <summary>The token for what has no other, or −1.</summary>
    public int Unknown { get; set; }

    /// <summary>The beginning of a text, or −1.</summary>
    public int Bos { get; set; } = 1;

    /// <summary>The end of a text, or −1.</summary>
    public int Eos { get; set; } = 2;

    /// <summary>The padding, or −1.</summary>
    public int Padding { get; set; } = -1;

    /// <summary>Whether a text begins as if after a space.</summary>
    public bool AddsSpacePrefix { get; set; } = true;

    /// <summary>How text is normalized first, "identity" for not at all.</summary>
    public string Normalizer { get; set; } = "";

    /// <summary>Reads a file.</summary>
    /// <exception cref="FormatException">It is no SentencePiece model, or damaged.</exception>
    /// <exception cref="NotSupportedException">It does not merge pairs: a unigram, word or character model.</exception>
    public static SentencePieceModel Read(string path)
    {
        long bytes = new FileInfo(path).Length;
        if (bytes is 0 or > MaxBytes) throw new FormatException($"{path}: the file has {bytes} bytes; 1 to {MaxBytes} are read. Download it again.");
        LfsPointer.Refuse(path);
        return Parse(path, File.ReadAllBytes(path));
    }

    /// <summary>Reads a model in memory; <paramref name="subject"/> is for messages.</summary>
    /// <inheritdoc cref="Read" path="/exception"/>
    internal static SentencePieceModel Parse(string subject, ReadOnlySpan<byte> bytes)
    {
        var model = new SentencePieceModel();
        int kind = 1;   // unigram, where the file does not say
        try
        {
            var reader = new ProtobufReader(subject, bytes);
            while (reader.Next())
            {
                if (reader.Field == 1) model.ReadPiece(subject, reader.Bytes());
                else if (reader.Field == 2) model.ReadTrainer(new ProtobufReader(subject, reader.Bytes()), ref kind);
                else if (reader.Field == 3) model.ReadNormalizer(new ProtobufReader(subject, reader.Bytes()));
                else reader.Skip();
            }
        }
        catch (DecoderFallbackException e)
        {
            throw new FormatException($"{subject}: the file has a text that is not valid UTF-8: this is no SentencePiece model, or it is damaged; download it again.", e);
        }
        if (model.Pieces.Count == 0) throw new FormatException($"{subject}: the file has no tokens: this is no SentencePiece model, or it is damaged; download it again.");
        if (kind != BytePair)
            throw new NotSupportedException($"{subject}: the tokenizer is of the kind '{kind switch { 1 => "unigram", 3 => "word", 4 => "char", _ => "unknown" }}'; MambaRT converts SentencePiece models that merge pairs (bpe). Choose another checkpoint.");
        return model;
    }

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes()
    {
        var writer = new ProtobufWriter();
        foreach ((string spelling, float score, int kind) in Pieces)
        {
            writer.Message(1, piece =>
            {
                piece.Bytes(1, Utf8.GetBytes(spelling));
                piece.Float(2, score);
                if (kind != 1) piece.Integer(3, kind);
            });
        }
        writer.Message(2, trainer =>
        {
            trainer.Integer(3, BytePair);
            trainer.Integer(4, Pieces.Count);
            trainer.Integer(35, Pieces.Any(piece => piece.Kind == (int)TokenKind.Byte) ? 1 : 0);
            trainer.Integer(40, Unknown);
            trainer.Integer(41, Bos);
            trainer.Integer(42, Eos);
            trainer.Integer(43, Padding);
        });
        writer.Message(3, normalizer =>
        {
            normalizer.Bytes(1, Utf8.GetBytes(Normalizer));
            normalizer.Integer(3, AddsSpacePrefix ? 1 : 0);
            normalizer.Integer(4, 0);   // remove_extra_whitespaces, true where the file does not say
        });
        return writer.ToArray();
    }

    private void ReadPiece(string subject, ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(subject, message);
        (string spelling, float score, long kind) = ("", 0, 1);
        while (reader.Next())
        {
            if (reader.Field == 1) spelling = Utf8.GetString(reader.Bytes());
            else if (reader.Field == 2) score = reader.Float();
            else if (reader.Field == 3) kind = reader.Integer();
            else reader.Skip();
        }
        if (spelling.Length == 0 || kind is < 1 or > 6 || Pieces.Count == MaxPieces)
            throw new FormatException($"{subject}: token {Pieces.Count} is empty, of an unknown kind, or one too many: this is no SentencePiece model, or it is damaged; download it again.");
        Pieces.Add((spelling, score, (int)kind));
    }

    private void ReadTrainer(ProtobufReader reader, ref int kind)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3: kind = (int)reader.Integer(); break;
                case 40: Unknown = (int)reader.Integer(); break;
                case 41: Bos = (int)reader.Integer(); break;
                case 42: Eos = (int)reader.Integer(); break;
                case 43: Padding = (int)reader.Integer(); break;
                default: reader.Skip(); break;
            }
        }
    }

    private void ReadNormalizer(ProtobufReader reader)
    {
        while (reader.Next())
        {
            if (reader.Field == 1) Normalizer = Utf8.GetString(reader.Bytes());
            else if (reader.Field == 3) AddsSpacePrefix = reader.Integer() != 0;
            else reader.Skip();
        }
    }
}
