namespace MambaRT.Formats;

/// <summary>Turns text into token ids and back, by the rules that the model's file states.</summary>
/// <remarks>Immutable; safe to share between threads.</remarks>
public interface ITokenizer
{
    /// <summary>Number of token ids.</summary>
    int VocabularySize { get; }

    /// <summary>Whether the file has a vocabulary; without one only token ids can be used and the text methods throw <see cref="NotSupportedException"/>.</summary>
    bool HasVocabulary { get; }

    /// <summary>The token put before a text when <see cref="AddBos"/>, or −1.</summary>
    int Bos { get; }

    /// <summary>The end-of-text token, or −1.</summary>
    int Eos { get; }

    /// <summary>The end-of-turn token, or −1.</summary>
    int Eot { get; }

    /// <summary>Whether a text begins with <see cref="Bos"/>.</summary>
    bool AddBos { get; }

    /// <summary>Whether a text ends with <see cref="Eos"/>.</summary>
    bool AddEos { get; }

    /// <summary>Tokens that only fill the vocabulary up to the model's rows and stand for nothing, ascending: they are never to be picked.</summary>
    ReadOnlySpan<int> UnusedTokens { get; }

    /// <summary>Whether generation stops at <paramref name="token"/> (EOS, EOT and their kin).</summary>
    bool IsEndOfGeneration(int token);

    /// <summary>Encodes <paramref name="text"/>, without BOS or EOS; user-defined tokens in it always stand for themselves.</summary>
    /// <remarks>A SentencePiece file may ask for a space before the text; it is then part of the tokens, and comes back from <see cref="Decode"/>.</remarks>
    /// <param name="text">Any UTF-16; lone surrogates become U+FFFD.</param>
    /// <param name="parseSpecial">Whether the text of control tokens stands for those tokens: never for what a user typed.</param>
    /// <param name="place">Where the text stands.</param>
    int[] Encode(ReadOnlySpan<char> text, bool parseSpecial = false, TextPlace place = TextPlace.Beginning);

    /// <summary>The bytes of one token; a token may end in the middle of a character.</summary>
    /// <param name="token">A token id.</param>
    /// <param name="renderSpecial">Whether control and unknown tokens have text.</param>
    /// <returns>A slice of the tokenizer's own table: nothing is allocated.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    ReadOnlySpan<byte> Decode(int token, bool renderSpecial = false);

    /// <summary>What a special token asks of the text around it; who looks for special tokens himself must heed it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    TokenMatching Matching(int token);

    /// <summary>The token's text as the vocabulary spells it (for listings).</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    string Spelling(int token);
}
