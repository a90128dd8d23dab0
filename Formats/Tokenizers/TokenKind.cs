namespace MambaRT.Formats;

/// <summary>Kinds of tokens, numbered as in <c>tokenizer.ggml.token_type</c> (enum llama_token_type).</summary>
internal enum TokenKind
{
    Undefined,
    Normal,
    /// <summary>Stands for what the vocabulary cannot spell.</summary>
    Unknown,
    /// <summary>Has no text of its own; matched in a text only on request.</summary>
    Control,
    /// <summary>Always matched in a text, before any other splitting.</summary>
    UserDefined,
    Unused,
    /// <summary>One byte, spelled <c>&lt;0xNN&gt;</c>.</summary>
    Byte,
}
