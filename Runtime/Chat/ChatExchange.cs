namespace MambaRT.Chat;

/// <summary>Where a chat stood before a turn of the user.</summary>
/// <param name="Messages">How many messages there were.</param>
internal sealed record ChatExchange(int Messages) : IDisposable
{
    /// <summary>The session's state, or null where it is no longer kept: going back then feeds the conversation anew.</summary>
    public Session? State { get; private set; }

    /// <summary>What that state has absorbed.</summary>
    public IReadOnlyList<PromptPart> Absorbed { get; private set; } = [];

    /// <summary>The token that the answer before left unfed, or -1.</summary>
    public int Pending { get; private set; } = -1;

    /// <summary>How many tokens had been fed.</summary>
    public long History { get; private set; }

    /// <summary>Keeps a state to go back to.</summary>
    public ChatExchange With(Session state, IReadOnlyList<PromptPart> absorbed, int pending, long history) =>
        new(Messages) { State = state, Absorbed = absorbed, Pending = pending, History = history };

    /// <summary>A copy, with a state of its own where there is one and room for another.</summary>
    public ChatExchange Fork() => State?.TryFork() is Session state ? With(state, Absorbed, Pending, History) : new(Messages);

    /// <summary>Lets the state go.</summary>
    public void Dispose()
    {
        State?.Dispose();
        State = null;
        Absorbed = [];
        Pending = -1;
        History = 0;
    }
}
