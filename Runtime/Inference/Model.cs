using MambaRT.Formats;

namespace MambaRT;

/// <summary>A model on one device: weights, plan, tokenizer, and the slots of its sessions.</summary>
/// <remarks>
/// A model and its sessions are used by one thread at a time: a second one gets an <see cref="InvalidOperationException"/>. Disposing is for any thread and any
/// time: it ends a run as a cancellation does, waits for it, and ends all sessions; every later call throws <see cref="ObjectDisposedException"/>.
/// Memory: the file's mapping, one state per session, and a scratch bounded by <see cref="ModelOptions.ChunkTokens"/>.
/// </remarks>
public sealed class Model : IDisposable
{
    /// <summary>States may take an eighth of the machine's memory where the caller does not say.</summary>
    private const int DefaultBudgetShare = 8;

    /// <summary>However small the machine: a session, its fork, and as much again.</summary>
    private const int LeastSessions = 4;

    private readonly IDisposable? _ownedSource;
    private readonly ILoadedModel _loaded;
    private readonly ExecutableCache _executables;
    private readonly IWeightSource _weights;
    private readonly EmbeddingRows _embedding;
    private UInt128? _fingerprint;
    private SequenceSpan[] _spans = new SequenceSpan[1];
    private volatile CancellationTokenSource _stop = new();
    private int _busy;        // 1 while a thread is inside, and for good once the model is disposed
    private int _inside;      // that thread
    private int _closing;
    private bool _proven;

    private Model(GgufMetadata metadata, IWeightSource weights, IReadOnlyList<GgufTensorInfo>? tensors, IDisposable? ownedSource, Func<Plan, IWeightSource, IBackend> choose, ModelOptions options, CancellationToken cancel)
    {
        options.Validate();
        Metadata = metadata;
        Plan = Architecture.Record(metadata, weights, options.Architectures);
        IBackend backend = choose(Plan, weights);
        if (options.Memory is not null && !backend.Device.SharesHostMemory)
            throw new NotSupportedException($"ModelOptions.Memory was given, and {backend.Name} keeps a model in memory of its own device; choose cpu, or bound the states alone by ModelOptions.StateBudget.");
        ChunkTokens = ChunkOf(options, backend, Plan);
        Options = options;
        BackendName = backend.Name;
        if (tensors is not null) Architecture.RefuseUnread(metadata, tensors, Plan);
        Tokenizer = ModelTokens.TokenizerOf(metadata, Plan);
        _weights = weights;
        _ownedSource = ownedSource;
        StateBudget = options.StateBudget ?? Math.Max(DeviceDescription.HostMemoryBytes / DefaultBudgetShare, LeastSessions * StateBytes);
        long bytes = BytesOf(Plan, weights);
        Tell(options, LoadProgress.Opening, 0, bytes, cancel);
        _loaded = backend.Load(Plan, weights, new LoadOptions
        {
            Slots = 0, StateBudget = StateBudget, ChunkTokens = ChunkTokens, Observer = options.Observer, NeverPicked = ModelTokens.Unused(Plan, Tokenizer),
            EndTokens = ModelTokens.Ends(Tokenizer),
            Subject = metadata.Subject, Progress = options.Progress, Memory = options.Memory,
        }, cancel);
        Slots = new SessionSlots(this);
        _executables = new ExecutableCache(_loaded);
        _embedding = new EmbeddingRows(Plan, weights, metadata.Subject);
        try
        {
            _executables.For(new BatchShape(ChunkTokens, 1, 1));
            if (options.Checkpoints is { } checkpoints) Checkpoints = new CheckpointStore(this, checkpoints);
            Tell(options, LoadProgress.Ready, bytes, bytes, cancel);
        }
        catch
        {
            _loaded.Dispose();
            throw;
        }
    }

    /// <summary>The file's metadata.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The network as recorded.</summary>
    public Plan Plan { get; }

    /// <summary>Turns text into tokens and back.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>How it was opened.</summary>
    public ModelOptions Options { get; }

    /// <summary>Tokens of a prompt that run at a time.</summary>
    public int ChunkTokens { get; }

    /// <summary>Tokens whose logits are asked for at a time, at most: a row of them is as long as the vocabulary.</summary>
    public int LogitsAtOnce => Math.Min(ChunkTokens, 256);

    /// <summary>The backend it runs on, such as "cpu".</summary>
    public string BackendName { get; }

    /// <summary>general.name, or the architecture where the file has none.</summary>
    public string Name => Metadata.TryGetString("general.name") ?? Plan.Architecture;

    /// <summary>Bytes of one session's state in a file.</summary>
    public long StateBytes => Plan.States.Bytes(0);

    /// <summary>Bytes that all states of this model may take together.</summary>
    public long StateBudget { get; }

    /// <summary>What is held beyond the mapped file.</summary>
    public MemoryUse Memory => _loaded.Memory;

    /// <summary>XxHash128 of metadata, tensor index and samples of the weights: what a saved state must match. Computed when first asked for.</summary>
    public UInt128 Fingerprint
    {
        get
        {
            if (_fingerprint is { } known) return known;
            using (Enter()) return OwnFingerprint;
        }
    }

    /// <summary>Opens a GGUF file on a backend.</summary>
    /// <param name="path">A .gguf file, or any part of a split set.</param>
    /// <param name="backend">Where it runs; must outlive the model, and may serve several.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancel">Ends the opening, between two tensors.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired; nothing is left behind.</exception>
    /// <exception cref="FormatException">The file is damaged, or not a model this library can run as it is.</exception>
    /// <exception cref="NotSupportedException">Its architecture, tokenizer or a storage type is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Model Open(string path, IBackend backend, ModelOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(backend);
        return OpenOnChoice(path, (_, _) => backend, options, cancel);
    }

    /// <summary>As <see cref="Open(string, IBackend, ModelOptions?, CancellationToken)"/>, on a thread of the pool, so that the caller's stays free.</summary>
    /// <param name="path">A .gguf file, or any part of a split set.</param>
    /// <param name="backend">Where it runs; must outlive the model, and may serve several.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="progress">Takes the place of <see cref="ModelOptions.Progress"/>; null for nobody.</param>
    /// <param name="cancel">Ends the opening, between two tensors.</param>
    /// <inheritdoc cref="Open(string, IBackend, ModelOptions?, CancellationToken)"/>
    public static Task<Model> OpenAsync(string path, IBackend backend, ModelOptions? options = null, IProgress<LoadProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(backend);
        options ??= new ModelOptions();
        return Task.Run(() => Open(path, backend, progress is null ? options : options with { Progress = progress }, cancel), cancel);
    }

    /// <summary>Opens a GGUF file on the backend that is chosen when its network is known.</summary>
    /// <param name="path">A .gguf file, or any part of a split set.</param>
    /// <param name="choose">Given the network and its weights, makes or names the backend, which stays the caller's to dispose.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancel">Ends the opening, between two tensors.</param>
    /// <inheritdoc cref="Open(string, IBackend, ModelOptions?, CancellationToken)"/>
    public static Model OpenOnChoice(string path, Func<Plan, IWeightSource, IBackend> choose, ModelOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(choose);
        options ??= new ModelOptions();
        return OpenOnChoice(GgufFile.Open(path, new GgufOpenOptions { Offset = options.Offset, Length = options.Length, CopyToMemory = options.CopyToMemory, Memory = options.Memory, Overrides = options.Overrides }), choose, options, cancel);
    }

    /// <summary>Opens a model on the backend that is chosen when its network is known.</summary>
    /// <param name="file">Its file, which the model takes over: it is disposed with it, or when the model is refused.</param>
    /// <param name="choose">As for a path.</param>
    /// <param name="options">Null for the defaults; what concerns the opening of the file has no effect.</param>
    /// <param name="cancel">Ends loading.</param>
    /// <inheritdoc cref="Open(string, IBackend, ModelOptions?, CancellationToken)"/>
    public static Model OpenOnChoice(GgufFile file, Func<Plan, IWeightSource, IBackend> choose, ModelOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(choose);
        try
        {
            return new Model(file.Metadata, file, file.Tensors, file, choose, options ?? new ModelOptions(), cancel);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens a model whose weights are already in memory; <paramref name="weights"/> must outlive it.</summary>
    public static Model Open(GgufMetadata metadata, IWeightSource weights, IBackend backend, ModelOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(backend);
        return new(metadata, weights, null, null, (_, _) => backend, options ?? new ModelOptions(), cancel);
    }

    /// <summary>Bytes of the file, or of the weights that lie in memory; at least 1, as a share of it is told.</summary>
    private static long BytesOf(Plan plan, IWeightSource weights)
    {
        long bytes = (weights as GgufFile)?.FileBytes ?? 0;
        if (bytes > 0) return bytes;
        foreach (WeightSpec weight in plan.Weights)
            if (weight.TryFind(weights, out TensorView view)) bytes += view.Bytes;
        return Math.Max(1, bytes);
    }

    private static void Tell(ModelOptions options, string doing, long done, long total, CancellationToken cancel)
    {
        options.Progress?.Report(new LoadProgress(doing, done, total));
        cancel.ThrowIfCancellationRequested();   // who is told may have had enough
    }

    /// <summary>Tokens of a prompt that are run at a time: as many as are asked for, else as the backend runs best; no more than it runs at all.</summary>
    private static int ChunkOf(ModelOptions options, IBackend backend, Plan plan) => Math.Min(options.ChunkTokens ?? backend.ChunkTokensFor(plan), backend.Device.MostTokens);

    /// <summary>What a model takes, told before it is opened: as <see cref="OpenOnChoice(string, Func{Plan, IWeightSource, IBackend}, ModelOptions?, CancellationToken)"/> would open it, with so many sessions.</summary>
    /// <param name="path">A .gguf file, or any part of a split set.</param>
    /// <param name="choose">As there; the backend is only asked.</param>
    /// <param name="options">As there.</param>
    /// <param name="sessions">Sessions with a state each, forks and kept turns among them; prompts are fed by chunks, and up to a chunk's rows of the sessions in a batch.</param>
    /// <exception cref="FormatException">The file is damaged, or not a model this library can run as it is.</exception>
    /// <exception cref="NotSupportedException">Its architecture or a storage type is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="OverflowException">It is more than can be counted.</exception>
    public static MemoryEstimate Estimate(string path, Func<Plan, IWeightSource, IBackend> choose, ModelOptions? options = null, int sessions = 1)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(choose);
        ArgumentOutOfRangeException.ThrowIfNegative(sessions);
        options ??= new ModelOptions();
        options.Validate();
        using GgufFile file = GgufFile.Open(path, new GgufOpenOptions { Offset = options.Offset, Length = options.Length, Overrides = options.Overrides });
        Plan plan = Architecture.Record(file.Metadata, file, options.Architectures);
        IBackend backend = choose(plan, file);
        MemoryUse use = backend.Estimate(plan, file, new LoadOptions { Slots = sessions, ChunkTokens = ChunkOf(options, backend, plan), Subject = file.Metadata.Subject });
        return new MemoryEstimate(file.FileBytes, IsCopied: options.CopyToMemory, use);
    }

    /// <summary>The network that a file describes, without loading it: what a backend is asked about (<see cref="IBackend.WhyNot"/>).</summary>
    /// <exception cref="FormatException">The file is damaged, or lacks what its architecture needs.</exception>
    /// <exception cref="NotSupportedException">Its architecture is not supported.</exception>
    public static Plan PlanOf(GgufMetadata metadata, IWeightSource weights)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(weights);
        return Architecture.Record(metadata, weights);
    }

    /// <summary>Starts a sequence from the zero state.</summary>
    /// <exception cref="StateBudgetException">There is no room for another state.</exception>
    /// <exception cref="InvalidOperationException">Another thread is inside the model.</exception>
    public Session StartSession()
    {
        using (Enter()) return new Session(this, Slots.Take());
    }

    /// <summary>Starts a sequence that has absorbed tokens: at the longest kept state of them (<see cref="ModelOptions.Checkpoints"/>), fed the rest.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="cancel">As in <see cref="Session.Feed(ReadOnlySpan{int}, CancellationToken)"/>; nothing is left behind.</param>
    /// <exception cref="StateBudgetException">There is no room for another state.</exception>
    /// <inheritdoc cref="Session.Feed(ReadOnlySpan{int}, CancellationToken)" path="/exception"/>
    public Session StartSession(ReadOnlySpan<int> tokens, CancellationToken cancel = default)
    {
        Session session = StartSession();
        try
        {
            session.Feed(tokens[new SequenceCheckpoints(session).Approach(tokens)..], cancel);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="StartSession()"/>, but what is in its slot is anything until a state is set there.</summary>
    internal Session StartUnset()
    {
        using (Enter()) return new Session(this, Slots.Take(clears: false));
    }

    /// <summary>Feeds one token to each of several sessions at once: the weights are read once for all of them.</summary>
    /// <param name="sessions">Open sessions of this model, each at most once.</param>
    /// <param name="tokens">One token for each session, in the same order.</param>
    /// <returns>[sessions, vocabulary], valid until the next call on the model; scratch for that many rows is made when first asked for.</returns>
    /// <exception cref="ArgumentException">The counts differ or are 0, a session belongs to another model or stands twice, or a token is outside the vocabulary; nothing is fed.</exception>
    /// <exception cref="ObjectDisposedException">A session was disposed; nothing is fed.</exception>
    /// <exception cref="IOException">The model's file was changed while in use; nothing is fed.</exception>
    /// <exception cref="FormatException">A weight or what was computed is not finite; the sessions then need a reset or a saved state.</exception>
    public ReadOnlySpan<float> FeedBatch(ReadOnlySpan<Session> sessions, ReadOnlySpan<int> tokens)
    {
        if (sessions.IsEmpty || sessions.Length != tokens.Length)
            throw new ArgumentException($"FeedBatch got {sessions.Length} sessions and {tokens.Length} tokens; one token for each of at least one session is needed.", nameof(tokens));
        using Use use = Enter();
        return FeedTogether(sessions, tokens, []).Logits;
    }

    /// <summary>As <see cref="FeedBatch"/>, and picks a token after each instead of handing out logits, on the device where it can.</summary>
    /// <param name="sessions">Open sessions of this model, each at most once.</param>
    /// <param name="tokens">One token for each session, in the same order.</param>
    /// <param name="picks">How, for each.</param>
    /// <param name="picked">Receives the token picked for each; they are not fed.</param>
    /// <exception cref="ArgumentException">As there, or a setting of a pick is out of range; nothing is fed.</exception>
    public void PickBatch(ReadOnlySpan<Session> sessions, ReadOnlySpan<int> tokens, ReadOnlySpan<TokenPick> picks, Span<int> picked)
    {
        if (sessions.IsEmpty || sessions.Length != tokens.Length || sessions.Length != picks.Length || sessions.Length != picked.Length)
            throw new ArgumentException($"PickBatch got {sessions.Length} sessions, {tokens.Length} tokens, {picks.Length} picks and room for {picked.Length} tokens; one of each is needed for each of at least one session.", nameof(tokens));
        using Use use = Enter();
        FeedTogether(sessions, tokens, picks).Picked.CopyTo(picked);
    }

    private RunOutput FeedTogether(ReadOnlySpan<Session> sessions, ReadOnlySpan<int> tokens, ReadOnlySpan<TokenPick> picks)
    {
        if (_spans.Length < sessions.Length) _spans = new SequenceSpan[sessions.Length];
        for (int i = 0; i < sessions.Length; i++)
        {
            if (sessions[i]?.Model != this)
                throw new ArgumentException($"Session {i} {(sessions[i] is null ? "is null" : "belongs to another model")}; a batch holds sessions of one model.", nameof(sessions));
            _spans[i] = new SequenceSpan(sessions[i].Slot, sessions[i].Position, i, 1, OutputRows.Last);
        }
        CheckTokens(tokens);
        IExecutable executable = _executables.For(new BatchShape(sessions.Length, sessions.Length, sessions.Length));
        try
        {
            RunTicket run = executable.Start(new Batch { Tokens = tokens, Sequences = _spans.AsSpan(0, sessions.Length), Picks = picks, WantsLogits = picks.IsEmpty });
            RunOutput output = Proven(executable.Await(run), _spans.AsSpan(0, sessions.Length));
            foreach (Session session in sessions) session.Advance(1);
            return output;
        }
        catch
        {
            foreach (Session session in sessions) session.LoseUnlessThere();
            throw;
        }
    }

    /// <summary>Ends a run that another thread is in, waits for it, and gives back all memory. Logits that were returned stay readable.</summary>
    /// <exception cref="InvalidOperationException">It is called from within a run, by an observer: it would wait for itself.</exception>
    public void Dispose()
    {
        if (Volatile.Read(ref _busy) != 0 && Volatile.Read(ref _inside) == Environment.CurrentManagedThreadId && _closing == 0)
            throw new InvalidOperationException("A model cannot be disposed from within its own run; dispose it when the run has ended.");
        if (Interlocked.Exchange(ref _closing, 1) != 0) return;
        _stop.Cancel();
        var wait = new SpinWait();
        while (Interlocked.CompareExchange(ref _busy, 1, 0) != 0) wait.SpinOnce();
        _executables.Dispose();
        _loaded.Dispose();
        _ownedSource?.Dispose();
    }

    /// <summary>Keeps other threads out until it is disposed.</summary>
    /// <param name="steps">Steps of which one may be in flight; those of others are waited for.</param>
    /// <param name="endsRun">Whether a run that was left in its midst is gone on with to its end; else who enters does so.</param>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">Another thread is inside.</exception>
    internal Use Enter(PickedSteps? steps = null, bool endsRun = true)
    {
        if (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            CheckOpen();
            throw new InvalidOperationException("Two threads used this model at once; a model and its sessions are used by one thread at a time.");
        }
        Volatile.Write(ref _inside, Environment.CurrentManagedThreadId);
        if (Volatile.Read(ref _closing) == 0)
        {
            if (Ahead != steps) Ahead?.Wait();
            if (endsRun) UnderWay?.AdvanceForOthers(TimeSpan.MaxValue);
            return new Use(this);
        }
        new Use(this).Dispose();
        throw new ObjectDisposedException(GetType().FullName);
    }

    /// <summary>Whether it was disposed.</summary>
    internal bool IsClosed => Volatile.Read(ref _closing) != 0;

    /// <summary>The run that was left in its midst, or null: it is gone on with to its end before anything else happens on the device.</summary>
    internal SteppedRun? UnderWay { get; set; }

    /// <summary>The steps of which one is in flight, or null: it is waited for before anything else happens on the device.</summary>
    internal PickedSteps? Ahead { get; set; }

    /// <summary>What runs one token of one sequence; only within <see cref="Enter"/>.</summary>
    internal IExecutable Single => _executables.For(new BatchShape(1, 1, 1));

    /// <summary>Where states lie.</summary>
    internal SessionSlots Slots { get; }

    /// <summary>The kept states, or null where none are kept.</summary>
    internal CheckpointStore? Checkpoints { get; init; }

    /// <summary>The device's side; only within <see cref="Enter"/>.</summary>
    internal ILoadedModel Loaded => _loaded;

    /// <summary>What it was opened on.</summary>
    internal IWeightSource Weights => _weights;

    /// <summary>The fingerprint; only within <see cref="Enter"/>.</summary>
    internal UInt128 OwnFingerprint => _fingerprint ??= ModelFingerprint.Of(Metadata, Plan, _weights);

    /// <summary>What the fingerprint was in files of earlier versions, which do not note the weights; only within <see cref="Enter"/>.</summary>
    internal UInt128 OldFingerprint => ModelFingerprint.WithoutWeights(Metadata, Plan, _weights);

    /// <summary>Whether a run has given logits: then every matrix is known to be finite, and only what is computed can fail to be.</summary>
    internal bool IsProven => _proven;

    /// <inheritdoc cref="EmbeddingRows.Check"/>
    internal void CheckTokens(scoped ReadOnlySpan<int> tokens) => _embedding.Check(tokens);

    /// <summary>Runs one span of one slot; only within <see cref="Enter"/>.</summary>
    /// <param name="slot">The session's.</param>
    /// <param name="position">Tokens it has absorbed.</param>
    /// <param name="tokens">What it is fed; a single one is not cancelled once it runs: whoever disposes the model waits for it.</param>
    /// <param name="outputs">Rows of logits that are wanted.</param>
    /// <param name="pick">How a token is picked from the last row; or none, to get logits.</param>
    /// <param name="cancel">Looked at within the run where the backend can.</param>
    /// <param name="observer">Sees what every op yields; null for nobody.</param>
    internal RunOutput Run(int slot, long position, scoped ReadOnlySpan<int> tokens, OutputRows outputs, scoped ReadOnlySpan<TokenPick> pick, CancellationToken cancel, IOpObserver? observer = null)
    {
        _spans[0] = new SequenceSpan(slot, position, 0, tokens.Length, outputs);
        IExecutable executable = _executables.For(new BatchShape(tokens.Length, 1, Math.Max(1, _spans[0].OutputCount)));
        var batch = new Batch { Tokens = tokens, Sequences = _spans.AsSpan(0, 1), Picks = pick, WantsLogits = pick.IsEmpty };
        if (tokens.Length == 1) return Proven(executable.Await(Start(executable, batch, observer, CancellationToken.None)), batch.Sequences);
        CancellationTokenSource stop = _stop;
        try
        {
            using CancellationTokenRegistration link = cancel.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), stop);   // given just here
            return Proven(executable.Await(Start(executable, batch, observer, stop.Token)), batch.Sequences);
        }
        catch (OperationCanceledException)
        {
            CheckOpen();
            throw new OperationCanceledException(cancel);
        }
        finally
        {
            if (stop.IsCancellationRequested) Renew();
        }
    }

    /// <summary>What runs batches up to a shape; only within <see cref="Enter"/>.</summary>
    internal IExecutable Executable(BatchShape shape) => _executables.For(shape);

    /// <summary>Makes what runs batches of up to so many sequences, a chunk's rows at most, before there is a time to be kept, where runs can be left in their midst and no limit of memory forbids.</summary>
    internal void Prepare(int sequences)
    {
        using Use use = Enter();
        if (!TryPrepare() || Options.Memory is not null) return;
        for (int count = 2; count / 2 < Math.Min(sequences, ChunkTokens); count *= 2) _executables.For(new BatchShape(count, count, count));
    }

    /// <summary>Touches what runs compute in before there is a time to be kept, where runs can be left in their midst; only within <see cref="Enter"/>.</summary>
    /// <returns>Whether they can.</returns>
    internal bool TryPrepare()
    {
        if (Single is not ISlicedExecutable sliced) return false;
        sliced.TouchMemory();
        return true;
    }

    /// <summary>The same, and refuses a backend that cannot leave a run in its midst; only within <see cref="Enter"/>.</summary>
    /// <exception cref="NotSupportedException">It is one.</exception>
    internal void RequireSlices()
    {
        if (TryPrepare()) return;
        throw new NotSupportedException($"The {BackendName} backend cannot run a model in slices of time; feed the tokens at once, or choose another backend.");
    }

    /// <summary>Lets go what <see cref="Enter"/> took.</summary>
    internal readonly ref struct Use(Model model)
    {
        public void Dispose()
        {
            Volatile.Write(ref model._inside, 0);
            Volatile.Write(ref model._busy, 0);
        }
    }

    private RunTicket Start(IExecutable executable, scoped in Batch batch, IOpObserver? observer, CancellationToken cancel)
    {
        if (observer is null) return executable.Start(batch, cancel);
        return executable is ITracedExecutable traced ? traced.StartTraced(batch, observer, cancel)
            : throw new NotSupportedException($"The {BackendName} backend cannot show what single ops yield; choose another one for a trace.");
    }

    private void CheckOpen() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _closing) != 0, this);

    /// <summary>Makes a new way to end runs, as one that was used cannot be used again.</summary>
    private void Renew()
    {
        _stop = new CancellationTokenSource();
        if (Volatile.Read(ref _closing) != 0) _stop.Cancel();   // whoever disposes may have looked before
    }

    /// <summary>Passes on logits that are finite.</summary>
    internal RunOutput Proven(RunOutput output, scoped ReadOnlySpan<SequenceSpan> sequences)
    {
        if (!(output.IsFinite ?? Logits.AreFinite(output.Logits)))
            throw FiniteWeights.Overflow(Metadata.Subject, NonFiniteStates.First(Plan, _loaded, sequences) ?? Plan.Ops[^1].Name);
        _proven |= !output.Logits.IsEmpty || !output.Picked.IsEmpty;
        return output;
    }
}
