using System.Diagnostics;

namespace MambaRT;

/// <summary>Tokens that are fed to a session in slices of time; made by <see cref="Session.FeedInSlices"/>. One thread at a time.</summary>
/// <remarks>
/// The result is that of <see cref="Session.Feed(ReadOnlySpan{int}, CancellationToken)"/>, bit for bit. No copy of the state is made, as that may take longer
/// than a slice: one that is disposed before it is over, or fails, leaves a session at position 0 in the zero state and any other without a state. Fork it
/// first where there must be a way back.
/// </remarks>
public sealed class SlicedFeed : IDisposable
{
    private readonly Session _session;
    private readonly int _slot;
    private readonly int[] _tokens;
    private ISlicedExecutable? _run;
    private RunTicket _ticket;
    private int _fed;

    /// <summary>Begins; only within <see cref="Model.Enter"/>.</summary>
    internal SlicedFeed(Session session, int slot, int[] tokens)
    {
        (_session, _slot, _tokens) = (session, slot, tokens);
        Begin();
        session.Lose();
        Model.UnderWay = this;
    }

    /// <summary>Whether all tokens are fed, or it was given up, or the model was disposed.</summary>
    public bool IsOver => Model.UnderWay != this || Model.IsClosed;

    private Model Model => _session.Model;

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
        if (Model.UnderWay != this) throw new InvalidOperationException("This feed is over; begin another one.");
        if (time < TimeSpan.Zero) time = TimeSpan.Zero;
        long began = Stopwatch.GetTimestamp();
        using Model.Use use = Model.Enter(this);
        try
        {
            do
            {
                if (_run is null) Begin();
                if (!_run!.Advance(time - Stopwatch.GetElapsedTime(began))) return false;   // Begin made it
                RunOutput output = Model.Proven(_run.Await(_ticket), []);
                _fed += Count;
                _run = null;
                if (_fed < _tokens.Length) continue;
                _session.Complete(_tokens.Length);
                Model.UnderWay = null;
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

    /// <summary>Gives up what is not over.</summary>
    /// <exception cref="InvalidOperationException">Another thread is inside the model.</exception>
    public void Dispose()
    {
        if (IsOver) return;
        using Model.Use use = Model.Enter(this);
        GiveUp();
    }

    /// <summary>Tokens of the present chunk.</summary>
    private int Count => Math.Min(Model.ChunkTokens, _tokens.Length - _fed);

    private void Begin()
    {
        int count = Count;
        bool last = _fed + count == _tokens.Length;
        var span = new SequenceSpan(_slot, _session.Position + _fed, 0, count, last ? OutputRows.Last : OutputRows.None);
        _run = Model.Sliced(count);
        _ticket = _run.Begin(new Batch { Tokens = _tokens.AsSpan(_fed, count), Sequences = new ReadOnlySpan<SequenceSpan>(in span) });
    }

    private void GiveUp()
    {
        _run?.GiveUp();
        Model.UnderWay = null;
        if (_session.Position > 0) return;
        Model.Loaded.ClearSlot(_slot);
        _session.Complete(0);
    }
}
