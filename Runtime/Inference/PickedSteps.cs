namespace MambaRT;

/// <summary>
/// Decoding of a session by picked tokens. On a device that works by itself the step that feeds a token is started before the token is known here, so that
/// it computes while the token is looked at; one that ends a text is fed to nothing there (<see cref="Batch.LastPick"/>). One thread at a time, as the session.
/// </summary>
/// <remarks>Another use of the model waits for a step in flight, whose outcome is kept. Nothing is allocated a token.</remarks>
internal sealed class PickedSteps(Session session)
{
    private readonly RunTicket[] _runs = new RunTicket[2];
    private readonly int[] _token = new int[1];
    private TokenPick _pick;
    private int _slot, _inFlight, _kept;
    private bool _hasKept;
    private Exception? _failure;

    private Model Model => session.Model;

    /// <summary>Sets how tokens are picked from now on; no step may be ahead.</summary>
    public void Begin(TokenPick pick) => _pick = pick;

    /// <summary>Feeds a token, unless that was begun already, and picks the one after it.</summary>
    /// <param name="token">The token that was picked last.</param>
    /// <param name="goesOn">Whether the token after it will be fed, too, unless it ends the text.</param>
    /// <exception cref="IOException">As in <see cref="Session.Feed(ReadOnlySpan{int}, CancellationToken)"/>, and so for all others.</exception>
    public int Next(int token, bool goesOn)
    {
        using Model.Use use = Model.Enter(steps: this);
        try
        {
            int picked;
            goesOn &= Model.Loaded.WorksAhead;
            if (_hasKept)
            {
                picked = TakeKept();
                if (goesOn && !Model.Tokenizer.IsEndOfGeneration(picked)) Start(picked);
                return picked;
            }
            if (_inFlight == 0) Start(token);
            if (goesOn) Start(Batch.LastPick);
            picked = Await();
            if (goesOn && !Model.Tokenizer.IsEndOfGeneration(picked)) Model.CheckTokens([picked]);
            return picked;
        }
        catch
        {
            GiveUp();
            throw;
        }
        finally
        {
            Model.Ahead = _inFlight > 0 ? this : null;
        }
    }

    /// <summary>Ends the steps.</summary>
    /// <returns>Whether the token picked last was fed meanwhile; what was picked after it is forgotten.</returns>
    public bool End()
    {
        if (_inFlight == 0 && !_hasKept) return false;
        using Model.Use use = Model.Enter(steps: this);
        Wait();
        _hasKept = false;
        return _failure is null && _kept >= 0;
    }

    /// <summary>Waits for the step in flight and keeps what comes of it; only within <see cref="Model.Enter"/>.</summary>
    public void Wait()
    {
        Model.Ahead = null;
        if (_inFlight == 0) return;
        (_hasKept, _failure) = (true, null);
        try
        {
            _kept = Await();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _failure = e;
            GiveUp();
        }
    }

    private int TakeKept()
    {
        _hasKept = false;
        if (_failure is { } failure) throw failure;
        return _kept;
    }

    private void Start(int token)
    {
        _token[0] = token;
        _slot = session.Slot;
        if (token != Batch.LastPick) Model.CheckTokens(_token);
        var span = new SequenceSpan(_slot, session.Position + _inFlight, 0, 1, OutputRows.Last);
        var batch = new Batch { Tokens = _token, Sequences = new ReadOnlySpan<SequenceSpan>(in span), Picks = new ReadOnlySpan<TokenPick>(in _pick), WantsLogits = false };
        _runs[_inFlight] = Model.Single.Start(batch);
        _inFlight++;
    }

    /// <summary>Waits for the older step; the session has absorbed its token then, unless that ended the text.</summary>
    private int Await()
    {
        var span = new SequenceSpan(_slot, session.Position, 0, 1, OutputRows.Last);
        RunOutput output = Model.Single.Await(TakeOldest());
        if (output.IsFinite == false) Forget();
        Model.Proven(output, new ReadOnlySpan<SequenceSpan>(in span));
        int picked = output.Picked[0];
        if (picked >= 0) session.Advance(1);
        return picked;
    }

    private RunTicket TakeOldest()
    {
        RunTicket oldest = _runs[0];
        _runs[0] = _runs[1];
        _inFlight--;
        return oldest;
    }

    /// <summary>What is in flight when a step has failed is waited for and is nobody's.</summary>
    private void GiveUp()
    {
        Forget();
        session.LoseUnlessThere();
    }

    private void Forget()
    {
        while (_inFlight > 0)
        {
            try
            {
                Model.Single.Await(TakeOldest());
            }
            catch (Exception e) when (e is InvalidOperationException or FormatException or IOException)
            {
                // what failed first is what is told
            }
        }
    }
}
