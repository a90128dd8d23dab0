using System.Runtime.InteropServices;

namespace MambaRT;

/// <summary>What a session has absorbed, token by token, and its dealings with the kept states: beginning at one, keeping some, going back. One thread at a time, as the session.</summary>
/// <remarks>Without a store (<see cref="ModelOptions.Checkpoints"/>) it follows the tokens alone. Between two kept states nothing is allocated.</remarks>
internal sealed class SequenceCheckpoints(Session session)
{
    private readonly CheckpointStore? _store = session.Model.Checkpoints;
    private readonly List<int> _since = [];   // tokens after the trail
    private TokenTrail _trail = TokenTrail.Empty;
    private long _keptAt;
    private bool _isExact = true;

    /// <summary>The same past for another session.</summary>
    public SequenceCheckpoints For(Session fork) => new(fork) { _trail = Now, _keptAt = _keptAt, _isExact = _isExact };

    /// <summary>Tokens absorbed.</summary>
    public long Length => _trail.Length + _since.Count;

    /// <summary>Whether the state is, to the bit, that of a prompt fed from the beginning in whole chunks.</summary>
    public bool IsExact => _isExact;

    /// <summary>Whether a state is to be kept here.</summary>
    public bool IsDue => _store is not null && Length / _store.Every > _keptAt / _store.Every;

    /// <summary>What was absorbed.</summary>
    public TokenTrail Now
    {
        get
        {
            if (_since.Count == 0) return _trail;
            _trail = _trail.Then(CollectionsMarshal.AsSpan(_since));
            _since.Clear();
            return _trail;
        }
    }

    /// <summary>How many of <paramref name="count"/> tokens are fed before a state is to be kept.</summary>
    public int Piece(int count) => _store is null ? count : (int)Math.Min(count, _store.Every - Length % _store.Every);

    /// <summary>Notes tokens that were fed.</summary>
    public void Fed(ReadOnlySpan<int> tokens)
    {
        _isExact &= tokens.Length % session.Model.ChunkTokens == 0;
        _since.AddRange(tokens);
    }

    /// <summary>Notes that the session is somewhere else.</summary>
    public void Restart(TokenTrail at, bool isExact = false)
    {
        _since.Clear();
        (_trail, _keptAt, _isExact) = (at, at.Length, isExact || at.Length == 0);
    }

    /// <summary>The kept state to begin at with a prompt, of which at least the last token is left; only within <see cref="Model.Enter"/>. The session is not touched.</summary>
    /// <param name="prompt">From the beginning on.</param>
    /// <param name="exact">Whether the state shall be the one of a lone prompt to the bit.</param>
    public Checkpoint? Find(ReadOnlySpan<int> prompt, bool exact) => _store?.Longest(prompt, 0, prompt.Length - 1, exact);

    /// <summary>Takes over a state that has absorbed more of what is to be fed, if one is kept.</summary>
    /// <param name="ahead">What is to be fed next; at least the last of it is left.</param>
    /// <returns>How many of them need not be fed any more.</returns>
    public int Approach(ReadOnlySpan<int> ahead)
    {
        if (_store is null || !_trail.IsKnown) return 0;
        long length = Length;
        int[] all = [.. Now.From(0), .. ahead];
        using Model.Use use = session.Model.Enter();
        if (_store.Longest(all, length, all.Length - 1, exact: false) is not { } kept) return 0;
        TakeOver(kept);
        return (int)(kept.Trail.Length - length);
    }

    /// <summary>Goes back to a place, or as near before it as a state is kept: to the beginning where none is, as what is fed is the same with kept states and without.</summary>
    /// <returns>The tokens from there to the place, which are to be fed; null where they are not known.</returns>
    public int[]? ReturnTo(TokenTrail trail)
    {
        if (Now.IsSame(trail) && session.Position == Length && session.HasState) return [];
        if (trail.Length == 0) return null;
        if (ReturnToKept(trail) is { } kept) return trail.From(kept.Trail.Length);
        if (!trail.IsKnown) return null;
        session.Reset();
        Restart(TokenTrail.Empty);
        return trail.From(0);
    }

    /// <summary>Keeps the state as it is now, where there is room.</summary>
    public void Keep()
    {
        if (_store is null || session.Model.Ahead is not null) return;   // a step ahead of what was noted here is in flight
        using Model.Use use = session.Model.Enter();
        if (session.Position == Length) _store.Keep(Now, session.Slot, _isExact);
        _keptAt = Length;
    }

    /// <summary>A slot for a copy of the state, to be handed to <see cref="Keep(int)"/>; null where there is nothing to keep. Only within <see cref="Model.Enter"/>.</summary>
    public int? Reserve()
    {
        _keptAt = Length;
        return _store!.Reserve(Now, _isExact);   // it was due, so there is a store
    }

    /// <summary>Keeps the copy in a slot that was reserved; only within <see cref="Model.Enter"/>.</summary>
    public void Keep(int slot) => _store!.Add(Now, slot, _isExact);   // as there

    /// <summary>Ends the session; what it has absorbed is kept where it is.</summary>
    /// <param name="exact">Whether it is kept only if it is a lone prompt's to the bit.</param>
    public void End(bool exact)
    {
        try
        {
            if (_store is null || Length == 0 || (exact && !_isExact) || session.Model.IsClosed) return;
            using Model.Use use = session.Model.Enter();
            if (session.IsAt(Length) && session.GiveSlot() is > 0 and int slot) _store.Take(Now, slot, _isExact);
        }
        catch (InvalidOperationException)
        {
            // The model is in use elsewhere, or was disposed since: nothing is kept.
        }
        finally
        {
            session.Dispose();
        }
    }

    private Checkpoint? ReturnToKept(TokenTrail trail)
    {
        if (_store is null) return null;
        using Model.Use use = session.Model.Enter();
        Checkpoint? kept;
        if (!trail.IsKnown) _store.TryGet(trail, out kept);
        else kept = _store.Longest(trail.From(0), 0, (int)trail.Length, exact: false);
        if (kept is not null) TakeOver(kept);
        return kept;
    }

    private void TakeOver(Checkpoint kept)
    {
        session.TakeOver(kept);
        Restart(kept.Trail, kept.IsExact);
    }
}
