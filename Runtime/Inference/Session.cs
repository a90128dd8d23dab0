namespace MambaRT;

/// <summary>One sequence: a slot of constant size and a position. One thread at a time, as its model; disposing is for any thread and any time.</summary>
/// <remarks>A run that fails leaves the session as before where a copy of the state was made, else without a state: then only <see cref="Reset"/>, <see cref="Restore"/>, <see cref="CopyFrom"/> and Dispose are left.</remarks>
public sealed class Session : IDisposable
{
    /// <summary>The slot that belongs to no session.</summary>
    private const int Scratch = 0;

    private int _slot;
    private bool _lost;
    private SessionSteps? _steps;

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
            int slot = FreeSlot;
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
        return Feed(tokens, OutputRows.Last, [], cancel).Logits;
    }

    /// <summary>Feeds at most one chunk (<see cref="ModelOptions.ChunkTokens"/>) and returns the logits after every token: perplexity, and comparisons.</summary>
    /// <returns>[tokens, vocabulary], valid until the next call on the model.</returns>
    /// <exception cref="ArgumentException">No token, more than a chunk, or one outside the vocabulary; nothing is fed.</exception>
    public ReadOnlySpan<float> FeedAll(scoped ReadOnlySpan<int> tokens, CancellationToken cancel = default)
    {
        if (tokens.Length > Model.ChunkTokens)
            throw new ArgumentException($"FeedAll got {tokens.Length} tokens; it takes a chunk of at most {Model.ChunkTokens}. Feed chunk by chunk.", nameof(tokens));
        return Feed(tokens, OutputRows.All, [], cancel).Logits;
    }

    /// <summary>Feeds tokens and picks the next one, on the device where it can: no logits are handed out.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="pick">How; the same tokens, seed and logits give the same id on every backend.</param>
    /// <param name="cancel">As in <see cref="Feed(ReadOnlySpan{int}, CancellationToken)"/>.</param>
    /// <returns>The token picked; it is not fed.</returns>
    /// <exception cref="ArgumentException">No token, one outside the vocabulary, or a setting of the pick out of range; nothing is fed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired; nothing is fed.</exception>
    public int Pick(scoped ReadOnlySpan<int> tokens, TokenPick pick, CancellationToken cancel = default)
    {
        pick.Validate();
        return Feed(tokens, OutputRows.Last, [pick], cancel).Picked[0];
    }

    /// <summary>Feeds tokens in slices of time, as a program does that gives the model a share of each of its frames.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <returns>What to advance until it is over; nothing is fed yet. Until then the session cannot be used otherwise.</returns>
    /// <exception cref="ArgumentException">No token, or one outside the vocabulary.</exception>
    /// <exception cref="NotSupportedException">The backend cannot run a model in slices of time.</exception>
    /// <exception cref="StateBudgetException">The session has absorbed tokens, and there is no room for the state to go back to.</exception>
    /// <exception cref="InvalidOperationException">Another thread is inside the model, or another such feed of this session is under way.</exception>
    public SlicedFeed FeedInSlices(ReadOnlySpan<int> tokens)
    {
        CheckOpen();
        if (tokens.IsEmpty) throw new ArgumentException("There is no token to feed; at least one is needed.", nameof(tokens));
        using Model.Use use = Model.Enter();
        Model.CheckTokens(tokens);
        Model.RequireSlices();
        _ = Slot;   // with a state, and nothing under way
        return new SlicedFeed(this, tokens.ToArray());
    }

    /// <summary>
    /// Begins to feed a prompt and to generate tokens after it, by <see cref="StepFor"/>. Until that is over, or <see cref="CancelSteps"/>, the session cannot be
    /// used otherwise; other sessions of the model can at any time. It takes a second state meanwhile, the one to go back to. The first of a model also has the memory made that
    /// runs compute in (some tens of milliseconds for a large model), so that no step waits for it.
    /// </summary>
    /// <param name="prompt">At least one token id.</param>
    /// <param name="sampler">What picks the tokens.</param>
    /// <param name="maxTokens">The most tokens to generate; 0 only feeds the prompt.</param>
    /// <exception cref="ArgumentException">No token, one outside the vocabulary, or a negative number of tokens.</exception>
    /// <exception cref="StateBudgetException">There is no room for the state to go back to.</exception>
    /// <exception cref="InvalidOperationException">Another thread is inside the model, or the session is being fed in steps already.</exception>
    public void BeginSteps(ReadOnlySpan<int> prompt, SamplerChain sampler, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        ArgumentOutOfRangeException.ThrowIfNegative(maxTokens);
        CheckOpen();
        if (prompt.IsEmpty) throw new ArgumentException("There is no token to feed; at least one is needed.", nameof(prompt));
        using Model.Use use = Model.Enter();
        Model.CheckTokens(prompt);
        _ = Slot;   // with a state, and nothing under way
        Model.TryPrepare();
        _steps = new SessionSteps(this, prompt.ToArray(), sampler, maxTokens);
    }

    /// <summary>Goes on with what <see cref="BeginSteps"/> began, for a time: as a game does that gives a character a share of each frame.</summary>
    /// <param name="time">
    /// For how long, 0 and less for one unit of work. A unit that was begun is ended: on cpu about 0.1 ms, and rarely more than 0.2 ms, so that a token of a large
    /// model is computed over several frames; on a backend that cannot leave a token in its midst, a token or a chunk of the prompt.
    /// </param>
    /// <returns>What was done. Nothing where nothing was begun.</returns>
    /// <exception cref="InvalidOperationException">Another thread is inside the model.</exception>
    /// <exception cref="IOException">The model's file was changed while in use; the session is as before the token at hand.</exception>
    /// <exception cref="FormatException">A weight or what was computed is not finite; the message names the tensor or the op.</exception>
    public StepProgress StepFor(TimeSpan time)
    {
        CheckOpen();
        return _steps?.StepFor(time) ?? default;
    }

    /// <summary>Tokens that were generated since <see cref="BeginSteps"/>, without one that ended the text. All but the last were fed.</summary>
    public IReadOnlyList<int> Generated => _steps?.Generated ?? [];

    /// <summary>Gives up what <see cref="BeginSteps"/> began: the session goes back to before the prompt, or, once that is absorbed, to before the token at hand.</summary>
    /// <exception cref="InvalidOperationException">Another thread is inside the model.</exception>
    public void CancelSteps()
    {
        CheckOpen();
        _steps?.Cancel();
    }

    /// <summary>Feeds tokens as <see cref="Feed(ReadOnlySpan{int}, CancellationToken)"/> does, slowly, and shows what every op yields.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="observer">Called after each op, chunk by chunk (<see cref="ModelOptions.ChunkTokens"/>).</param>
    /// <param name="cancel">As in <see cref="Feed(ReadOnlySpan{int}, CancellationToken)"/>.</param>
    /// <returns>[vocabulary], valid until the next call on the model.</returns>
    /// <exception cref="NotSupportedException">The backend cannot show its ops; nothing is fed.</exception>
    public ReadOnlySpan<float> Trace(scoped ReadOnlySpan<int> tokens, IOpObserver observer, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(observer);
        return Feed(tokens, OutputRows.Last, [], cancel, observer).Logits;
    }

    /// <summary>A session with the same past and a separate future.</summary>
    /// <exception cref="StateBudgetException">There is no room for another state.</exception>
    public Session Fork()
    {
        CheckOpen();
        using Model.Use use = Model.Enter();
        int slot = Slot;
        int taken = Model.Slots.Take();
        try
        {
            Model.Loaded.CopySlot(slot, taken, Position);
            return new Session(Model, taken) { Position = Position };
        }
        catch
        {
            Model.Slots.Return(taken);
            throw;
        }
    }

    /// <summary>Takes over the past of another session of the same model.</summary>
    public void CopyFrom(Session other)
    {
        ArgumentNullException.ThrowIfNull(other);
        CheckOpen();
        other.CheckOpen();
        if (other.Model != Model) throw new ArgumentException("The other session belongs to another model; states pass between models as snapshots.", nameof(other));
        using Model.Use use = Model.Enter();
        Model.Loaded.CopySlot(other.Slot, FreeSlot, other.Position);
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
        byte[] state = new byte[Model.Plan.States.Bytes(Position)];
        Model.Loaded.ExportSlot(slot, Position, new MemoryStream(state));
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
        Model.Loaded.ImportSlot(FreeSlot, snapshot.Position, snapshot.OpenState());
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
        Model.Loaded.ClearSlot(FreeSlot);
        Position = 0;
        _lost = false;
    }

    /// <summary>Gives the slot back; a run that is in it ends as it would, and its slot is not used again before.</summary>
    public void Dispose()
    {
        int slot = Interlocked.Exchange(ref _slot, 0);
        if (slot > 0) Model.Slots.Return(slot);
        Stepping?.ReturnSpare();
    }

    /// <summary>The feed in slices of time that is under way, or null.</summary>
    internal SlicedFeed? Stepping { get; set; }

    /// <summary>Its slot for that feed.</summary>
    internal int SlotStepped => OpenSlot;

    /// <summary>Begins at a kept state, or at the zero state; only within <see cref="Model.Enter"/>.</summary>
    internal void TakeOver(Checkpoint? kept)
    {
        int slot = FreeSlot;
        if (kept is null) Model.Loaded.ClearSlot(slot);
        else Model.Loaded.CopySlot(kept.Slot, slot, kept.Trail.Length);
        BeginAt(kept?.Trail.Length ?? 0);
    }

    /// <summary>Notes where a state is that a run copies there before anything else.</summary>
    internal void BeginAt(long position)
    {
        Position = position;
        _lost = false;
    }

    /// <summary>Whether no run that failed has lost its state.</summary>
    internal bool HasState => !_lost;

    /// <summary>Whether its state is there and has absorbed so many tokens; only within <see cref="Model.Enter"/>.</summary>
    internal bool IsAt(long position) => Volatile.Read(ref _slot) is > 0 and int slot && Model.Loaded.PositionOf(slot) == position;

    /// <summary>Gives its slot away: it is disposed then. 0 where it was.</summary>
    internal int GiveSlot() => Interlocked.Exchange(ref _slot, 0);

    /// <summary>Counts tokens that a batch fed.</summary>
    internal void Advance(int tokens) => Position += tokens;

    /// <summary>Makes the state what it was before a feed in slices that was given up; only within <see cref="Model.Enter"/>.</summary>
    /// <param name="copy">The slot that has it, unless the copying was not over: then nothing else was begun.</param>
    internal void GoBackTo(int copy)
    {
        int slot = Volatile.Read(ref _slot);
        if (slot == 0 || Model.IsClosed || Model.Loaded.PositionOf(slot) == Position) return;
        try
        {
            if (Position > 0) Model.Loaded.CopySlot(copy, slot, Position);
            else Model.Loaded.ClearSlot(slot);
        }
        catch (IOException)
        {
            _lost = true;   // the device failed for good, which who called is told
        }
    }

    /// <summary>The same where a run that failed has changed the state; one that was disposed has none.</summary>
    internal void LoseUnlessThere() => _lost |= Volatile.Read(ref _slot) is > 0 and int slot && Model.Loaded.PositionOf(slot) != Position;

    /// <summary>Feeds chunk by chunk, all or nothing: whatever ends it early, the state is as before, or lost where there was no reason for a copy.</summary>
    /// <remarks>
    /// A prompt that goes on with a sequence copies its state into the scratch slot first. A single token does so only until the model has given logits once,
    /// as that would cost each one a copy: it is cancelled before it runs or not at all, and a device that fails within it loses the state.
    /// </remarks>
    private RunOutput Feed(scoped ReadOnlySpan<int> tokens, OutputRows outputs, scoped ReadOnlySpan<TokenPick> pick, CancellationToken cancel, IOpObserver? observer = null)
    {
        CheckOpen();
        if (tokens.IsEmpty) throw new ArgumentException("There is no token to feed; at least one is needed.", nameof(tokens));
        using Model.Use use = Model.Enter();
        int slot = Slot, chunk = Model.ChunkTokens, done = 0;
        Model.CheckTokens(tokens);
        cancel.ThrowIfCancellationRequested();
        bool returns = tokens.Length > 1 || !Model.IsProven, copied = returns && Position > 0;
        if (copied) Model.Loaded.CopySlot(slot, Scratch, Position);
        try
        {
            for (; tokens.Length - done > chunk; done += chunk)
                Model.Run(slot, Position + done, tokens.Slice(done, chunk), OutputRows.None, [], cancel, observer);
            RunOutput output = Model.Run(slot, Position + done, tokens[done..], outputs, pick, cancel, observer);
            Position += tokens.Length;
            return output;
        }
        catch
        {
            GoBack(slot, copied, returns);
            throw;
        }
    }

    /// <summary>Makes the state what it was before a feed that failed, where there is a way. What failed is for the caller to tell, also where the device has failed for good.</summary>
    private void GoBack(int slot, bool copied, bool returns)
    {
        try
        {
            if (copied) Model.Loaded.CopySlot(Scratch, slot, Position);
            else if (returns) Model.Loaded.ClearSlot(slot);
            else LoseUnlessThere();
        }
        catch (IOException)
        {
            _lost = true;
        }
    }

    /// <summary>Whether a snapshot that is this model's also names its weights.</summary>
    private bool CheckOwn(StateSnapshot snapshot)
    {
        bool namesWeights = snapshot.Fingerprint == Model.OwnFingerprint;
        if (!namesWeights && snapshot.Fingerprint != Model.OldFingerprint)
            throw new FormatException($"The saved state belongs to another model (fingerprint {snapshot.Fingerprint:x32}; '{Model.Name}' is {Model.OwnFingerprint:x32}). Open the model it was saved with.");
        long needed = Model.Plan.States.Bytes(snapshot.Position);
        if (snapshot.State.Length != needed)
            throw new FormatException($"The saved state has {snapshot.State.Length} bytes; '{Model.Name}' needs {needed}. Save it again with this version.");
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

    /// <summary>The same where no feed in slices is under way.</summary>
    private int FreeSlot => Stepping is null ? OpenSlot
        : throw new InvalidOperationException("A feed in slices of time is under way on this session; advance it to its end, or give it up.");

    private void CheckOpen() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _slot) == 0, this);
}
