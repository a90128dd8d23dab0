namespace MambaRT.CApi;

/// <summary>Text that is generated with a session.</summary>
internal sealed class OpenGenerator(OpenSession session, SamplerChain sampler, GenerationOptions options) : TextStream(session.Owner)
{
    private readonly TextGenerator _generator = new(session.Session, sampler, options);
    private IEnumerator<string>? _pieces;

    /// <inheritdoc/>
    public override GenerationStats Stats => _generator.Stats;

    /// <summary>Begins a run.</summary>
    public void Begin(int[] tokens)
    {
        Leave();
        Begin();
        session.Replaced(session);
        _pieces = _generator.Generate(tokens, session.Cancellation.Token).GetEnumerator();
    }

    /// <summary>Feeds the token that the last run left unfed.</summary>
    public void Settle()
    {
        Leave();
        _generator.Settle();
        session.Replaced(session);
    }

    /// <inheritdoc/>
    protected override string? Compute()
    {
        if (_pieces is null) return null;
        if (_pieces.MoveNext()) return _pieces.Current;
        End();
        return null;
    }

    /// <inheritdoc/>
    public override void End()
    {
        Leave();
        session.Cancellation.Renew();
    }

    private void Leave()
    {
        _pieces?.Dispose();
        _pieces = null;
    }
}
