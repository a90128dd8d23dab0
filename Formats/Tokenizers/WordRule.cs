namespace MambaRT.Formats;

/// <summary>Ways to cut a text, each given by the regular expression whose matches, and the gaps between them, are the pieces.</summary>
internal enum WordRule
{
    /// <summary><c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c></summary>
    Gpt2,
    /// <summary><c>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>, in ASCII where case is ignored.</summary>
    Llama3,
    /// <summary>As <see cref="Llama3"/> with <c>\p{N}</c>.</summary>
    Qwen2,
    /// <summary><c>[\p{P}\$\+&lt;=&gt;\^~\|]+</c></summary>
    Symbols,
    /// <summary>As <see cref="Symbols"/> and the backtick.</summary>
    SymbolsAndBacktick,
    /// <summary><c>\p{N}+</c></summary>
    NumberRuns,
    /// <summary><c>\p{N}</c></summary>
    SingleNumbers,
    /// <summary><c>[0-9][0-9][0-9]</c></summary>
    DigitTriples,
}
