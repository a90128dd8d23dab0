using System.Text;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Texts as the tokens a model is fed with, and tokens as people read them.</summary>
internal static class TextTokens
{
    /// <summary>Refuses a model that takes token ids only, before anything is said about its text.</summary>
    /// <exception cref="NotSupportedException">It has no vocabulary.</exception>
    public static void RequireVocabulary(Model model)
    {
        if (!model.Tokenizer.HasVocabulary)
            throw new NotSupportedException($"'{model.Name}' has no vocabulary, which text needs; convert it with its tokenizer, or give token ids to 'mambart logits --tokens'.");
    }

    /// <summary>Makes the tokenizer of a file that is opened for its tokens alone.</summary>
    public static ITokenizer Of(GgufFile file, Terminal terminal)
    {
        ITokenizer tokenizer = Tokenizer.Create(file.Metadata);
        NoteDoubts(file.Metadata, terminal);
        return tokenizer;
    }

    /// <summary>Says so where the way of cutting text into words is guessed, and where a key names a token that there is none of.</summary>
    public static void NoteDoubts(GgufMetadata metadata, Terminal terminal)
    {
        if (Tokenizer.GuessedPreTokenizer(metadata) is string guess)
            terminal.Note($"Warning: the model's file does not name its pre-tokenizer; '{guess}' is taken as a guess, as in llama.cpp, and answers suffer if it is another: set it with --override-kv tokenizer.ggml.pre=str:NAME.");
        if (Tokenizer.UnusableTokens(metadata) is string unusable) terminal.Note($"Warning: {unusable}");
    }

    /// <summary>Encodes a text, special tokens parsed, after the token that the model wants before every text.</summary>
    /// <exception cref="FormatException">The text has no token.</exception>
    public static int[] Encode(ITokenizer tokenizer, string text, bool parseSpecial = true, bool withBos = true)
    {
        int[] tokens = tokenizer.Encode(text, parseSpecial);
        if (withBos && tokenizer.AddBos && tokenizer.Bos >= 0 && (tokens.Length == 0 || tokens[0] != tokenizer.Bos)) tokens = [tokenizer.Bos, .. tokens];
        return tokens.Length > 0 ? tokens : throw new FormatException("The text is empty; at least one token is needed.");
    }

    /// <summary>The text of one token, control characters spelled out.</summary>
    public static string Piece(ITokenizer tokenizer, int token) =>
        Show.Text(Encoding.UTF8.GetString(tokenizer.Decode(token, renderSpecial: true)));

    /// <summary>The bytes of several tokens, in which those of one character meet.</summary>
    public static byte[] Bytes(ITokenizer tokenizer, ReadOnlySpan<int> tokens)
    {
        var bytes = new List<byte>();
        foreach (int token in tokens) bytes.AddRange(tokenizer.Decode(token, renderSpecial: true));
        return [.. bytes];
    }
}
