namespace MambaRT.Chat;

/// <summary>What a token of a chat template is.</summary>
internal enum TemplateTokenKind
{
    /// <summary>Text outside tags, already trimmed.</summary>
    Text,

    /// <summary>The start of an output tag.</summary>
    OutputStart,

    /// <summary>The end of an output tag.</summary>
    OutputEnd,

    /// <summary>The start of a statement tag.</summary>
    BlockStart,

    /// <summary>The end of a statement tag.</summary>
    BlockEnd,

    /// <summary>A name or keyword.</summary>
    Name,

    /// <summary>A string literal, unescaped.</summary>
    String,

    /// <summary>An integer literal.</summary>
    Integer,

    /// <summary>A floating-point literal.</summary>
    Float,

    /// <summary>An operator or bracket.</summary>
    Operator,

    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A token of a chat template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">Its text.</param>
/// <param name="Line">The line it starts on, from 1.</param>
internal readonly record struct TemplateToken(TemplateTokenKind Kind, string Value, int Line)
{
    private const int MaxError = 1000;

    /// <summary>Names the token in an error.</summary>
    public override string ToString() => Kind switch
    {
        TemplateTokenKind.End => "the end of the template",
        TemplateTokenKind.OutputEnd => "'}}'",
        TemplateTokenKind.BlockEnd => "'%}'",
        TemplateTokenKind.Text => "text",
        _ => $"'{Value}'",
    };

    /// <summary>Makes the error for a place in a template; a template's own long words are cut.</summary>
    public static FormatException Error(int line, string message) =>
        new($"Chat template, line {line}: {(message.Length <= MaxError ? message : string.Concat(message.AsSpan(0, MaxError), "…"))}");
}
