namespace MambaRT.Chat;

/// <summary>Where a chat stood before a turn of the user.</summary>
/// <param name="Messages">How many messages there were.</param>
internal sealed record ChatExchange(int Messages)
{
    /// <summary>The tokens that the session had absorbed, or was to absorb before the turn; null where that is not known: going back then feeds the conversation anew.</summary>
    public TokenTrail? Trail { get; init; }

    /// <summary>The text of those, or what begins with it.</summary>
    public IReadOnlyList<PromptPart> Absorbed { get; init; } = [];

    /// <summary>How many characters of it; -1 for all.</summary>
    public int Characters { get; init; } = -1;

    /// <summary>The text that was absorbed.</summary>
    public IReadOnlyList<PromptPart> AbsorbedParts() => Characters < 0 ? Absorbed : PromptPart.First(Absorbed, Characters);

    /// <summary>The token that the answer before left unfed, or -1.</summary>
    public int Pending { get; init; } = -1;

    /// <summary>How many tokens samplers could look back on.</summary>
    public long History { get; init; }
}
