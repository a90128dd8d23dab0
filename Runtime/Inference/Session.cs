namespace MambaRT.Runtime;

/// <summary>One sequence: a slot of constant size and a position. Not thread-safe.</summary>
public sealed class Session : IDisposable
{
    private int _slot;

    internal Session(Model model, int slot)
    {
        Model = model;
        _slot = slot;
    }

    /// <summary>The model it runs on.</summary>
    public Model Model { get; }

    /// <summary>Tokens absorbed so far.</summary>
    public long Position { get; private set; }

    /// <summary>Its slot on the device.</summary>
    internal int Slot
    {
        get
        {
            CheckOpen();
            return _slot;
        }
    }

    /// <summary>Feeds tokens and returns the logits after the last.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="cancel">Stops within about the time of one token, also inside a long prompt; the session is then as it was before the call.</param>
    /// <returns>[vocabulary], valid until the next call on the model.</returns>
    /// <exception cref="ArgumentException">No token, or one outside the vocabulary; nothing is fed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired; nothing is fed.</exception>
    /// <exception cref="IOException">The model's file was changed while in use; nothing is fed.</exception>
    public ReadOnlySpan<float> Feed(scoped ReadOnlySpan<int> tokens, CancellationToken cancel = default)
    {
        CheckTokens(tokens);
        return Feed(tokens, OutputRows.Last, cancel);
    }

    /// <summary>Feeds at most one chunk (<see cref="ModelOptions.ChunkTokens"/>) and returns the logits after every token: perplexity, and comparisons.</summary>
    /// <returns>[tokens, vocabulary], valid until the next call on the model.</returns>
    /// <exception cref="ArgumentException">No token, more than a chunk, or one outside the vocabulary; nothing is fed.</exception>
    public ReadOnlySpan<float> FeedAll(scoped ReadOnlySpan<int> tokens, CancellationToken cancel = default)
    {
        CheckTokens(tokens);
        if (tokens.Length > Model.Options.ChunkTokens)
            throw new ArgumentException($"FeedAll got {tokens.Length} tokens; it takes a chunk of at most {Model.Options.ChunkTokens}. Feed chunk by chunk.", nameof(tokens));
        return Feed(tokens, OutputRows.All, cancel);
    }

    /// <summary>A session with the same past and a separate future.</summary>
    public Session Fork()
    {
        CheckOpen();
        var fork = new Session(Model, Model.TakeSlot()) { Position = Position };
        Model.Loaded.CopySlot(_slot, fork._slot);
        return fork;
    }

    /// <summary>Takes over the past of another session of the same model.</summary>
    public void CopyFrom(Session other)
    {
        CheckOpen();
        other.CheckOpen();
        if (other.Model != Model) throw new ArgumentException("The other session belongs to another model; states pass between models as snapshots.", nameof(other));
        Model.Loaded.CopySlot(other._slot, _slot);
        Position = other.Position;
    }

    /// <summary>Takes the state out: portable between backends, bound to the model.</summary>
    /// <param name="attachment">Bytes kept beside the state, such as a chat's turns.</param>
    public StateSnapshot Save(ReadOnlySpan<byte> attachment = default)
    {
        CheckOpen();
        byte[] state = new byte[Model.StateBytes];
        Model.Loaded.ExportSlot(_slot, state);
        return new StateSnapshot(Model.Fingerprint, Position, state, attachment.ToArray());
    }

    /// <summary>Replaces the state by a saved one; logits continue bit for bit on the backend it was saved on.</summary>
    /// <exception cref="FormatException">The snapshot is another model's; the session is untouched.</exception>
    public void Restore(StateSnapshot snapshot)
    {
        CheckOpen();
        EnsureOwn(snapshot);
        Model.Loaded.ImportSlot(_slot, snapshot.State.Span);
        Position = snapshot.Position;
    }

    /// <summary>Checks that a snapshot is this model's, before anything in it is interpreted.</summary>
    /// <exception cref="FormatException">It is another model's.</exception>
    internal void EnsureOwn(StateSnapshot snapshot)
    {
        if (snapshot.Fingerprint != Model.Fingerprint)
            throw new FormatException($"The saved state belongs to another model (fingerprint {snapshot.Fingerprint:x32}; '{Model.Name}' is {Model.Fingerprint:x32}). Open the model it was saved with.");
        if (snapshot.State.Length != Model.StateBytes)
            throw new FormatException($"The saved state has {snapshot.State.Length} bytes; '{Model.Name}' needs {Model.StateBytes}. Save it again with this version.");
    }

    /// <summary>Back to the zero state, before any token.</summary>
    public void Reset()
    {
        CheckOpen();
        Model.Loaded.ClearSlot(_slot);
        Position = 0;
    }

    /// <summary>Gives the slot back.</summary>
    public void Dispose()
    {
        if (_slot > 0) Model.ReturnSlot(_slot);
        _slot = 0;
    }

    /// <summary>Feeds chunk by chunk, all or nothing: whatever ends it early, the state is as before.</summary>
    private ReadOnlySpan<float> Feed(scoped ReadOnlySpan<int> tokens, OutputRows outputs, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        int chunk = Model.Options.ChunkTokens, done = 0;
        // A copy to go back to, only where the feeding can end half-way.
        int backup = tokens.Length > chunk || cancel.CanBeCanceled ? Model.TakeSlot() : 0;
        if (backup > 0) Model.Loaded.CopySlot(_slot, backup);
        try
        {
            for (; tokens.Length - done > chunk; done += chunk)
                Model.Run(_slot, tokens.Slice(done, chunk), OutputRows.None, cancel);
            ReadOnlySpan<float> logits = Model.Run(_slot, tokens[done..], outputs, cancel);
            Position += tokens.Length;
            return logits;
        }
        catch
        {
            if (backup > 0) Model.Loaded.CopySlot(backup, _slot);
            throw;
        }
        finally
        {
            if (backup > 0) Model.ReturnSlot(backup);
        }
    }

    /// <summary>Counts tokens that a batch fed.</summary>
    internal void Advance(int tokens) => Position += tokens;

    private void CheckOpen() => ObjectDisposedException.ThrowIf(_slot == 0, this);

    private void CheckTokens(scoped ReadOnlySpan<int> tokens)
    {
        CheckOpen();
        if (tokens.IsEmpty) throw new ArgumentException("There is no token to feed; at least one is needed.", nameof(tokens));
        int vocabulary = Model.Plan.VocabularySize;
        foreach (int token in tokens)
            if ((uint)token >= (uint)vocabulary)
                throw new ArgumentException($"Token {token} is outside the vocabulary of {vocabulary}; ids run from 0 to {vocabulary - 1}.", nameof(tokens));
    }
}
