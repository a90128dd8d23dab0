namespace MambaRT.Runtime;

/// <summary>One sequence: a slot of constant size and a position. One thread at a time, as its model; disposing is for any thread and any time.</summary>
/// <remarks>A run that fails leaves the session as before where a copy of the state was made, else without a state: then only <see cref="Reset"/>, <see cref="Restore"/>, <see cref="CopyFrom"/> and Dispose are left.</remarks>
public sealed class Session : IDisposable
{
    private int _slot;
    private bool _lost;

    internal Session(Model model, int slot)
    {
        Model = model;
        _slot = slot;
    }

    /// <summary>The model it runs on.</summary>
    public Model Model { get; }

    /// <summary>Tokens absorbed so far.</summary>
    public long Position { get; private set; }

    /// <summary>Its slot on the device, with a state in it.</summary>
    internal int Slot
    {
        get
        {
            int slot = OpenSlot;
            if (_lost)
                throw new InvalidOperationException("This session has lost its state in a run that failed; reset it, restore a saved state, or start another.");
            return slot;
        }
    }

    /// <summary>Feeds tokens and returns the logits after the last.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="cancel">Stops within about the time of one token, also inside a long prompt; the session is then as it was before the call.</param>
    /// <returns>[vocabulary], valid until the next call on the model.</returns>
    /// <exception cref="ArgumentException">No token, or one outside the vocabulary; nothing is fed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired; nothing is fed.</exception>
    /// <exception cref="IOException">The model's file was changed while in use; nothing is fed.</exception>
    /// <exception cref="FormatException">A weight or what was computed is not finite; the message names the tensor or the op.</exception>
    /// <exception cref="InvalidOperationException">Another thread is inside the model, or the session has lost its state in a run that failed.</exception>
    public ReadOnlySpan<float> Feed(scoped ReadOnlySpan<int> tokens, CancellationToken cancel = default)
    {
        return Feed(tokens, OutputRows.Last, cancel);
    }

    /// <summary>Feeds at most one chunk (<see cref="ModelOptions.ChunkTokens"/>) and returns the logits after every token: perplexity, and comparisons.</summary>
    /// <returns>[tokens, vocabulary], valid until the next call on the model.</returns>
    /// <exception cref="ArgumentException">No token, more than a chunk, or one outside the vocabulary; nothing is fed.</exception>
    public ReadOnlySpan<float> FeedAll(scoped ReadOnlySpan<int> tokens, CancellationToken cancel = default)
    {
        if (tokens.Length > Model.Options.ChunkTokens)
            throw new ArgumentException($"FeedAll got {tokens.Length} tokens; it takes a chunk of at most {Model.Options.ChunkTokens}. Feed chunk by chunk.", nameof(tokens));
        return Feed(tokens, OutputRows.All, cancel);
    }

    /// <summary>A session with the same past and a separate future.</summary>
    public Session Fork()
    {
        CheckOpen();
        using Model.Use use = Model.Enter();
        int slot = Slot;
        var fork = new Session(Model, Model.TakeSlot()) { Position = Position };
        Model.Loaded.CopySlot(slot, fork._slot);
        return fork;
    }

    /// <summary>Takes over the past of another session of the same model.</summary>
    public void CopyFrom(Session other)
    {
        ArgumentNullException.ThrowIfNull(other);
        CheckOpen();
        other.CheckOpen();
        if (other.Model != Model) throw new ArgumentException("The other session belongs to another model; states pass between models as snapshots.", nameof(other));
        using Model.Use use = Model.Enter();
        Model.Loaded.CopySlot(other.Slot, OpenSlot);
        Position = other.Position;
        _lost = false;
    }

    /// <summary>Takes the state out: portable between backends, bound to the model.</summary>
    /// <param name="attachment">Bytes kept beside the state, such as a chat's turns.</param>
    public StateSnapshot Save(ReadOnlySpan<byte> attachment = default)
    {
        CheckOpen();
        using Model.Use use = Model.Enter();
        int slot = Slot;
        byte[] state = new byte[Model.StateBytes];
        Model.Loaded.ExportSlot(slot, state);
        return new StateSnapshot(Model.OwnFingerprint, Position, state, attachment.ToArray());
    }

    /// <summary>Replaces the state by a saved one; logits continue bit for bit on the backend it was saved on.</summary>
    /// <returns>False where an earlier version saved it, which did not note the weights: it may be of a model that differs from this one in them alone.</returns>
    /// <exception cref="FormatException">The snapshot is another model's; the session is untouched.</exception>
    public bool Restore(StateSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        CheckOpen();
        using Model.Use use = Model.Enter();
        bool namesWeights = CheckOwn(snapshot);
        Model.Loaded.ImportSlot(OpenSlot, snapshot.State.Span);
        Position = snapshot.Position;
        _lost = false;
        return namesWeights;
    }

    /// <summary>Checks that a snapshot is this model's, before anything in it is interpreted.</summary>
    /// <exception cref="FormatException">It is another model's.</exception>
    internal void EnsureOwn(StateSnapshot snapshot)
    {
        using Model.Use use = Model.Enter();
        CheckOwn(snapshot);
    }

    /// <summary>Back to the zero state, before any token.</summary>
    public void Reset()
    {
        CheckOpen();
        using Model.Use use = Model.Enter();
        Model.Loaded.ClearSlot(OpenSlot);
        Position = 0;
        _lost = false;
    }

    /// <summary>Gives the slot back; a run that is in it ends as it would, and its slot is not used again before.</summary>
    public void Dispose()
    {
        int slot = Interlocked.Exchange(ref _slot, 0);
        if (slot > 0) Model.ReturnSlot(slot);
    }

    /// <summary>Counts tokens that a batch fed.</summary>
    internal void Advance(int tokens) => Position += tokens;

    /// <summary>Notes that a run failed after it had begun to change the state, and that there is no copy.</summary>
    internal void Lose() => _lost = true;

    /// <summary>Feeds chunk by chunk, all or nothing: whatever ends it early, the state is as before, or lost where there was no reason for a copy.</summary>
    private ReadOnlySpan<float> Feed(scoped ReadOnlySpan<int> tokens, OutputRows outputs, CancellationToken cancel)
    {
        CheckOpen();
        if (tokens.IsEmpty) throw new ArgumentException("There is no token to feed; at least one is needed.", nameof(tokens));
        using Model.Use use = Model.Enter();
        int slot = Slot, chunk = Model.Options.ChunkTokens, done = 0;
        Model.CheckTokens(tokens);
        cancel.ThrowIfCancellationRequested();
        // A copy to go back to, only where the feeding can end half-way.
        int backup = tokens.Length > chunk || cancel.CanBeCanceled || !Model.IsProven ? Model.TakeSlot() : 0;
        if (backup > 0) Model.Loaded.CopySlot(slot, backup);
        try
        {
            for (; tokens.Length - done > chunk; done += chunk)
                Model.Run(slot, tokens.Slice(done, chunk), OutputRows.None, cancel);
            ReadOnlySpan<float> logits = Model.Run(slot, tokens[done..], outputs, cancel);
            Position += tokens.Length;
            return logits;
        }
        catch (Exception e)
        {
            if (backup > 0) Model.Loaded.CopySlot(backup, slot);
            else _lost = Model.LeavesStatesUndefined(e);
            throw;
        }
        finally
        {
            if (backup > 0) Model.ReturnSlot(backup);
        }
    }

    /// <summary>Whether a snapshot that is this model's also names its weights.</summary>
    private bool CheckOwn(StateSnapshot snapshot)
    {
        bool namesWeights = snapshot.Fingerprint == Model.OwnFingerprint;
        if (!namesWeights && snapshot.Fingerprint != Model.OldFingerprint)
            throw new FormatException($"The saved state belongs to another model (fingerprint {snapshot.Fingerprint:x32}; '{Model.Name}' is {Model.OwnFingerprint:x32}). Open the model it was saved with.");
        if (snapshot.State.Length != Model.StateBytes)
            throw new FormatException($"The saved state has {snapshot.State.Length} bytes; '{Model.Name}' needs {Model.StateBytes}. Save it again with this version.");
        return namesWeights;
    }

    /// <summary>The slot, of which another thread's Dispose may make 0 at any time: read once.</summary>
    private int OpenSlot
    {
        get
        {
            int slot = Volatile.Read(ref _slot);
            ObjectDisposedException.ThrowIf(slot == 0, this);
            return slot;
        }
    }

    private void CheckOpen() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _slot) == 0, this);
}
