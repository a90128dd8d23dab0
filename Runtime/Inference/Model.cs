using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>A model on one device: weights, plan, tokenizer, and the slots of its sessions.</summary>
/// <remarks>
/// Not thread-safe: a model and its sessions are used by one thread at a time. Dispose the sessions first; disposing the model ends those left.
/// Memory: the file's mapping, one state per session, and a scratch bounded by <see cref="ModelOptions.ChunkTokens"/>.
/// </remarks>
public sealed class Model : IDisposable
{
    private readonly IDisposable? _ownedSource;
    private readonly ILoadedModel _loaded;
    private readonly Stack<int> _freeSlots = new();
    private readonly Lazy<UInt128> _fingerprint;
    private SequenceSpan[] _spans = new SequenceSpan[1];
    private IExecutable _executable;
    private int _usedSlots;
    private int _busy;
    private bool _disposed;

    private Model(GgufMetadata metadata, IWeightSource weights, IReadOnlyList<GgufTensorInfo>? tensors, IDisposable? ownedSource, IBackend backend, ModelOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.ChunkTokens, nameof(options));
        Metadata = metadata;
        Options = options;
        BackendName = backend.Name;
        Plan = Architecture.Record(metadata, weights);
        if (tensors is not null) RefuseUnknownTensors(metadata, tensors, Plan);
        Tokenizer = Formats.Tokenizer.Create(metadata);
        if (Tokenizer.VocabularySize > Plan.VocabularySize)
            throw new FormatException($"{metadata.Subject}: the vocabulary has {Tokenizer.VocabularySize} tokens and 'token_embd.weight' {Plan.VocabularySize} rows; every token needs a row. Re-convert the model.");
        _fingerprint = new Lazy<UInt128>(() => ModelFingerprint.Of(metadata, Plan, weights));
        _ownedSource = ownedSource;
        _loaded = backend.Load(Plan, weights, new LoadOptions(Observer: options.Observer, Subject: metadata.Subject));
        try
        {
            _executable = _loaded.Compile(new BatchShape(options.ChunkTokens, 1, 1));
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

    /// <summary>The backend it runs on, such as "cpu".</summary>
    public string BackendName { get; }

    /// <summary>general.name, or the architecture where the file has none.</summary>
    public string Name => Metadata.TryGetString("general.name") ?? Plan.Architecture;

    /// <summary>Bytes of one session's state.</summary>
    public long StateBytes => Plan.States.Bytes;

    /// <summary>Bytes held beyond the mapped file.</summary>
    public long ResidentBytes => _loaded.ResidentBytes;

    /// <summary>XxHash128 of metadata and tensor index: what a saved state must match.</summary>
    public UInt128 Fingerprint => _fingerprint.Value;

    /// <summary>Opens a GGUF file on a backend.</summary>
    /// <param name="path">A .gguf file, or any part of a split set.</param>
    /// <param name="backend">Where it runs; must outlive the model, and may serve several.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="FormatException">The file is damaged, or not a model this library can run as it is.</exception>
    /// <exception cref="NotSupportedException">Its architecture, tokenizer or a storage type is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Model Open(string path, IBackend backend, ModelOptions? options = null)
    {
        options ??= new ModelOptions();
        GgufFile file = GgufFile.Open(path, new GgufOpenOptions { Offset = options.Offset, Length = options.Length, CopyToMemory = options.CopyToMemory, Overrides = options.Overrides });
        try
        {
            return new Model(file.Metadata, file, file.Tensors, file, backend, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens a model whose weights are already in memory; <paramref name="weights"/> must outlive it.</summary>
    public static Model Open(GgufMetadata metadata, IWeightSource weights, IBackend backend, ModelOptions? options = null) =>
        new(metadata, weights, null, null, backend, options ?? new ModelOptions());

    /// <summary>Starts a sequence from the zero state.</summary>
    public Session StartSession() => new(this, TakeSlot());

    /// <summary>Feeds one token to each of several sessions at once: the weights are read once for all of them.</summary>
    /// <param name="sessions">Open sessions of this model, each at most once.</param>
    /// <param name="tokens">One token for each session, in the same order.</param>
    /// <returns>[sessions, vocabulary], valid until the next call on the model; scratch for that many rows is made when first asked for.</returns>
    /// <exception cref="ArgumentException">The counts differ or are 0, a session belongs to another model or stands twice, or a token is outside the vocabulary; nothing is fed.</exception>
    /// <exception cref="ObjectDisposedException">A session was disposed; nothing is fed.</exception>
    /// <exception cref="IOException">The model's file was changed while in use.</exception>
    public ReadOnlySpan<float> FeedBatch(ReadOnlySpan<Session> sessions, ReadOnlySpan<int> tokens)
    {
        if (sessions.IsEmpty || sessions.Length != tokens.Length)
            throw new ArgumentException($"FeedBatch got {sessions.Length} sessions and {tokens.Length} tokens; one token for each of at least one session is needed.", nameof(tokens));
        Enter();
        try
        {
            if (_spans.Length < sessions.Length) _spans = new SequenceSpan[sessions.Length];
            for (int i = 0; i < sessions.Length; i++)
            {
                if (sessions[i].Model != this)
                    throw new ArgumentException($"Session {i} belongs to another model; a batch holds sessions of one model.", nameof(sessions));
                _spans[i] = new SequenceSpan(sessions[i].Slot, i, 1, OutputRows.Last);
            }
            Reserve(sessions.Length, sessions.Length);
            ReadOnlySpan<float> logits = _executable.Run(new Batch { Tokens = tokens, Sequences = _spans.AsSpan(0, sessions.Length) });
            foreach (Session session in sessions) session.Advance(1);
            return logits;
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _executable.Dispose();
        _loaded.Dispose();
        _ownedSource?.Dispose();
    }

    internal int TakeSlot()
    {
        CheckOpen();
        if (_freeSlots.TryPop(out int slot)) _loaded.ClearSlot(slot);
        else
        {
            slot = _usedSlots + 1;
            if (slot > _loaded.Slots) _loaded.EnsureSlots(Math.Max(slot, 2 * _usedSlots));
            _usedSlots = slot;
            _loaded.ClearSlot(slot);
        }
        return slot;
    }

    internal void ReturnSlot(int slot) => _freeSlots.Push(slot);

    /// <summary>The device's side, for as long as the model is open.</summary>
    internal ILoadedModel Loaded
    {
        get
        {
            CheckOpen();
            return _loaded;
        }
    }

    /// <summary>Runs one span of one slot.</summary>
    internal ReadOnlySpan<float> Run(int slot, scoped ReadOnlySpan<int> tokens, OutputRows outputs, CancellationToken cancel)
    {
        CheckOpen();
        Enter();
        try
        {
            var span = new SequenceSpan(slot, 0, tokens.Length, outputs);
            Reserve(1, span.OutputCount);
            _spans[0] = span;
            return _executable.Run(new Batch { Tokens = tokens, Sequences = _spans.AsSpan(0, 1) }, cancel);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    private void CheckOpen() => ObjectDisposedException.ThrowIf(_disposed, this);

    private void Enter()
    {
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new InvalidOperationException("Two threads ran this model at once; a model and its sessions are used by one thread at a time.");
    }

    /// <summary>Room for several sequences, or for the logits of every row of a chunk, is made when first asked for.</summary>
    private void Reserve(int sequences, int outputs)
    {
        BatchShape shape = _executable.Shape;
        if (sequences <= shape.Sequences && outputs <= shape.Outputs) return;
        int rows = sequences > 1 ? outputs : Options.ChunkTokens;
        shape = new BatchShape(Math.Max(shape.Tokens, sequences), Math.Max(shape.Sequences, sequences), Math.Max(shape.Outputs, rows));
        _executable.Dispose();
        _executable = _loaded.Compile(shape);
    }

    private static void RefuseUnknownTensors(GgufMetadata metadata, IReadOnlyList<GgufTensorInfo> tensors, Plan plan)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (WeightSpec spec in plan.Weights) known.Add(spec.Name);
        foreach (GgufTensorInfo tensor in tensors)
            if (!known.Contains(tensor.Name))
                throw new NotSupportedException($"{metadata.Subject}: tensor '{tensor.Name}' has no place in architecture '{plan.Architecture}' with these keys; running without it would give wrong answers. Re-convert the model.");
    }
}
