using System.Globalization;
using System.Text;

namespace MambaRT.Formats;

/// <summary>The tokens of a file that ask something of the text around them, and what that means for a text.</summary>
/// <remarks>Source: huggingface/tokenizers, added_vocabulary.rs.</remarks>
internal sealed class TokenMatchings
{
    private static readonly (string Key, TokenMatching Flag)[] Keys =
    [
        ("tokenizer.ggml.lstrip_token_ids", TokenMatching.StripsLeft),
        ("tokenizer.ggml.rstrip_token_ids", TokenMatching.StripsRight),
        ("tokenizer.ggml.single_word_token_ids", TokenMatching.SingleWord),
    ];

    private readonly Dictionary<int, TokenMatching> _flags = [];

    /// <summary>Reads a file's keys.</summary>
    /// <param name="metadata">The file's metadata.</param>
    /// <param name="count">How many tokens there are.</param>
    /// <exception cref="FormatException">An id is no token's.</exception>
    public TokenMatchings(GgufMetadata metadata, int count)
    {
        foreach ((string key, TokenMatching flag) in Keys)
        {
            foreach (int token in metadata.TryGetInt32s(key) ?? [])
            {
                if ((uint)token >= (uint)count)
                    throw new FormatException($"{metadata.Subject}: key '{key}' names token {token}; ids are 0 to {count - 1}. Re-convert the model.");
                _flags[token] = this[token] | flag;
            }
        }
    }

    /// <summary>What a token asks.</summary>
    /// <param name="token">Any id.</param>
    public TokenMatching this[int token] => _flags.GetValueOrDefault(token);

    /// <summary>Whether a file has one of the keys.</summary>
    public static bool HasAny(GgufMetadata metadata) => Keys.Any(key => metadata.Contains(key.Key));

    /// <summary>Writes the keys; tokens that ask nothing may be left out.</summary>
    public static void Write(GgufMetadata metadata, IReadOnlyDictionary<int, TokenMatching> flags)
    {
        foreach ((string key, TokenMatching flag) in Keys)
        {
            uint[] tokens = [.. flags.Where(token => token.Value.HasFlag(flag)).Select(token => (uint)token.Key).Order()];
            if (tokens.Length > 0) metadata.Set(key, tokens);
        }
    }

    /// <summary>Whether the text from <paramref name="start"/> to <paramref name="end"/> is the token: a single word has no letters, digits, marks or connectors beside it.</summary>
    internal bool Is(int token, ReadOnlySpan<char> text, int start, int end) => !this[token].HasFlag(TokenMatching.SingleWord)
        || !(Rune.DecodeLastFromUtf16(text[..start], out Rune before, out _) == System.Buffers.OperationStatus.Done && IsWord(before))
        && !(Rune.DecodeFromUtf16(text[end..], out Rune after, out _) == System.Buffers.OperationStatus.Done && IsWord(after));

    private static bool IsWord(Rune rune) => Rune.IsLetterOrDigit(rune) || rune.Value is 0x200C or 0x200D
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation;
}
