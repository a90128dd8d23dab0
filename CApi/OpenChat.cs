namespace MambaRT.CApi;

/// <summary>A conversation and the answer that is being given.</summary>
internal sealed class OpenChat(OpenModel owner, ChatSession chat) : TextStream(owner)
{
    private IAsyncEnumerator<string>? _pieces;

    /// <summary>The conversation.</summary>
    public ChatSession Chat { get; } = chat;

    /// <inheritdoc/>
    public override GenerationStats Stats => Chat.Stats;

    /// <summary>What ends it from another thread.</summary>
    public Cancellation Cancellation { get; } = new();

    /// <summary>Begins an answer: to what is said, or the last one again.</summary>
    public void Begin(string? said)
    {
        Leave();
        Begin();
        IAsyncEnumerable<string> answer = said is null ? Chat.Retry(Cancellation.Token) : Chat.Say(said, Cancellation.Token);
        _pieces = answer.GetAsyncEnumerator();
    }

    /// <inheritdoc/>
    protected override string? Compute()
    {
        if (_pieces is null) return null;
        if (Wait(_pieces.MoveNextAsync())) return _pieces.Current;
        End();
        return null;
    }

    /// <inheritdoc/>
    public override void End()
    {
        Leave();
        Cancellation.Renew();
    }

    /// <summary>Closes the conversation; an answer that another thread computes ends by it, one that nobody does is left, with the states it keeps.</summary>
    public void Close()
    {
        Chat.Dispose();
        if (!Owner.TryEnter(out OpenModel.Use use)) return;
        using (use) Leave();
    }

    private void Leave()
    {
        if (_pieces is not null) _pieces.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _pieces = null;
    }

    private static bool Wait(ValueTask<bool> next) => next.IsCompletedSuccessfully ? next.Result : next.AsTask().GetAwaiter().GetResult();
}
