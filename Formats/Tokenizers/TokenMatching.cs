namespace MambaRT.Formats;

/// <summary>What a special token asks of the text around it (<c>lstrip</c>, <c>rstrip</c> and <c>single_word</c> of tokenizer.json).</summary>
/// <remarks>llama.cpp's keys have no place for it, so files carry it in keys of our own: <c>tokenizer.ggml.lstrip_token_ids</c>, <c>rstrip_token_ids</c>, <c>single_word_token_ids</c>.</remarks>
[Flags]
public enum TokenMatching
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>White space before the token belongs to it.</summary>
    StripsLeft = 1,

    /// <summary>White space after the token belongs to it.</summary>
    StripsRight = 2,

    /// <summary>Its spelling inside a word is text.</summary>
    SingleWord = 4,
}
