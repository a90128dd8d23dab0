namespace MambaRT.Chat;

/// <summary>A place in the tokens of a template, and the depth of nesting there.</summary>
/// <param name="tokens">The tokens, the last of them the end.</param>
internal abstract class TemplateTokenReader(List<TemplateToken> tokens)
{
    private int _at;
    private int _depth;

    /// <summary>All tokens.</summary>
    protected IReadOnlyList<TemplateToken> All => tokens;

    /// <summary>The token to read next.</summary>
    protected TemplateToken Current => tokens[_at];

    /// <summary>The token after that one, or the end.</summary>
    protected TemplateToken Following => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    /// <summary>Returns the next token and moves on; the end stays.</summary>
    protected TemplateToken Take()
    {
        var token = tokens[_at];
        if (token.Kind != TemplateTokenKind.End) _at++;
        return token;
    }

    /// <summary>Moves on if the next token is this one.</summary>
    protected bool Accept(TemplateTokenKind kind, string? value = null)
    {
        if (!Is(kind, value)) return false;
        _at++;
        return true;
    }

    /// <summary>Says whether the next token is this one.</summary>
    protected bool Is(TemplateTokenKind kind, string? value = null) =>
        Current.Kind == kind && (value is null || Current.Value == value);

    /// <summary>Takes a token that must be there.</summary>
    protected TemplateToken Expect(TemplateTokenKind kind, string what, string? value = null) =>
        Is(kind, value) ? Take() : throw TemplateToken.Error(Current.Line, $"{what} is needed; found {Current}.");

    /// <summary>Counts a level of nesting.</summary>
    protected void Enter()
    {
        if (++_depth > TemplateRun.MaxDepth)
            throw TemplateToken.Error(Current.Line, $"it nests deeper than {TemplateRun.MaxDepth} levels.");
    }

    /// <summary>Leaves a level of nesting.</summary>
    protected void Leave() => _depth--;
}
