namespace MambaRT.Chat;

/// <summary>Where a chat stood before a turn of the user.</summary>
/// <param name="Messages">How many messages there were.</param>
internal sealed record ChatExchange(int Messages)
{
    /// <summary>The tokens that the session had absorbed, or was to absorb before the turn; null where that is not known: going back then feeds the conversation anew.</summary>
    public TokenTrail? Trail { get; init; }

    /// <summary>The text of those.</summary>
    public IReadOnlyList<PromptPart> Absorbed { get; init; } = [];

    /// <summary>The token that the answer before left unfed, or -1.</summary>
    public int Pending { get; init; } = -1;

    /// <summary>How many tokens samplers could look back on.</summary>
    public long History { get; init; }
}
