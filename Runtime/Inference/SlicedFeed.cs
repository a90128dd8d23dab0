using System.Diagnostics;

namespace MambaRT;

/// <summary>Tokens that are fed to a session in slices of time; made by <see cref="Session.FeedInSlices"/>. One thread at a time.</summary>
/// <remarks>
/// The result is that of <see cref="Session.Feed(ReadOnlySpan{int}, CancellationToken)"/>, bit for bit. One that is disposed before it is over, or fails, leaves
/// the session as it was: a session that has absorbed tokens takes a second state meanwhile, to which the first one is copied in slices, too.
/// Other sessions may be used at any time: a run that was left in its midst, of a chunk at most, is then ended first.
/// </remarks>
public sealed class SlicedFeed : IDisposable
{
    private readonly Session _session;
    private readonly SteppedRun _run;
    private int[] _tokens;
    private int _spare;   // the slot of the state to go back to, 0 for none
    private int _fed;
    private bool _isOver, _goesOn;

    /// <summary>Begins; only within <see cref="Model.Enter"/>.</summary>
    /// <param name="session">The session, with a state.</param>
    /// <param name="tokens">What it is fed.</param>
    /// <param name="goesOn">Whether further tokens follow by <see cref="GoOn"/>.</param>
    internal SlicedFeed(Session session, int[] tokens, bool goesOn = false)
    {
        _session = session;
        _tokens = tokens;
        _goesOn = goesOn;
        _run = new SteppedRun(Model);
        if (goesOn || session.Position > 0) _spare = Model.Slots.Take(clears: false);
        session.Stepping = this;
    }

    /// <summary>Whether all tokens are fed, or it was given up, or the model was disposed.</summary>
    public bool IsOver => _isOver || Model.IsClosed;

    /// <summary>Tokens of it that were fed; those of a chunk count when all of it is.</summary>
    public int Fed => _fed;

    private Model Model => _session.Model;

    /// <summary>Tokens of the present chunk.</summary>
    private int Count => Math.Min(Model.ChunkTokens, _tokens.Length - _fed);

    /// <summary>Feeds further tokens after those that were fed.</summary>
    internal void GoOn(int[] tokens) => (_tokens, _fed, _isOver) = (tokens, 0, false);

    /// <summary>Notes that no further tokens follow.</summary>
    internal void End()
    {
        _goesOn = false;
        Release();
    }

    /// <summary>Goes on for a time.</summary>
    /// <param name="time">For how long, 0 and less for one unit; a unit of work that was begun is ended, which takes about 0.1 ms, and rarely more than 0.2 ms, with the default <see cref="ModelOptions.ChunkTokens"/>.</param>
    /// <param name="logits">[vocabulary] after the last token when all are fed, valid until the next call on the model; else empty.</param>
    /// <returns>Whether all tokens are fed.</returns>
    /// <exception cref="InvalidOperationException">It is over, or another thread is inside the model.</exception>
    /// <exception cref="IOException">The model's file was changed while in use.</exception>
    /// <exception cref="FormatException">A weight or what was computed is not finite; the message names the tensor or the op.</exception>
    public bool Advance(TimeSpan time, out ReadOnlySpan<float> logits)
    {
        logits = default;
        if (_isOver) throw new InvalidOperationException("This feed is over; begin another one.");
        if (time < TimeSpan.Zero) time = TimeSpan.Zero;
        long began = Stopwatch.GetTimestamp();
        using Model.Use use = Model.Enter(endsRun: false);
        try
        {
            _ = _session.SlotStepped;   // it was not disposed
            if (Model.UnderWay is { } other && other != _run && !other.AdvanceForOthers(time)) return false;
            do
            {
                if (!_run.IsBegun) Begin();
                if (!_run.Advance(time - Stopwatch.GetElapsedTime(began), out RunOutput output)) return false;
                _fed += Count;
                if (_fed < _tokens.Length) continue;
                _session.Advance(_tokens.Length);
                _isOver = true;
                if (!_goesOn) Release();
                logits = output.Logits;
                return true;
            }
            while (Stopwatch.GetElapsedTime(began) < time);
            return false;
        }
        catch
        {
            GiveUp();
            throw;
        }
    }

    /// <summary>Gives up what is not over: the session is then as it was before.</summary>
    /// <exception cref="InvalidOperationException">Another thread is inside the model.</exception>
    public void Dispose()
    {
        if (IsOver && !_goesOn) return;
        using Model.Use use = Model.Enter(endsRun: false);
        GiveUp();
    }

    /// <summary>Gives back the second state; any thread.</summary>
    internal void ReturnSpare()
    {
        if (Interlocked.Exchange(ref _spare, 0) is > 0 and int spare) Model.Slots.Return(spare);
    }

    private void Begin()
    {
        int count = Count, slot = _session.SlotStepped;
        var span = new SequenceSpan(slot, _session.Position + _fed, 0, count, _fed + count == _tokens.Length ? OutputRows.Last : OutputRows.None);
        if (_fed == 0 && _session.Position > 0) _run.Copy(slot, _spare, _session.Position);
        _run.Begin(_tokens.AsSpan(_fed, count), new ReadOnlySpan<SequenceSpan>(in span), []);
    }

    private void GiveUp()
    {
        _run.GiveUp();
        _isOver = true;
        _session.GoBackTo(_spare);
        Release();
    }

    private void Release()
    {
        _session.Stepping = null;
        ReturnSpare();
    }
}
