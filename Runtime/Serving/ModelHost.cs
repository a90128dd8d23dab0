using System.Diagnostics;

namespace MambaRT.Serving;

/// <summary>
/// Serves any number of threads with one model: answers are computed beside each other, each step one token of every answer and at most one chunk of one
/// prompt, so that a long prompt delays the next token of a running answer by no more than one chunk (<see cref="ModelOptions.ChunkTokens"/>).
/// </summary>
/// <remarks>
/// All members are for any thread. The host owns the use of the model while it lives: what else is done with it goes through <see cref="Use{T}"/>. Prompts take turns
/// by chunks; requests beyond <see cref="ModelHostOptions.MaxSequences"/>, or beyond the budget for states, wait in their order. A failure of the device ends
/// the answers that were in that step; a sampler or a reader that fails ends its own alone. The loop allocates nothing for a token.
/// </remarks>
public sealed class ModelHost : IDisposable
{
    private readonly ModelHostOptions _options;
    private readonly Lock _gate = new();               // around every use of the model
    private readonly Lock _requests = new();           // around the queue
    private readonly List<Generation> _queue = [];
    private readonly List<Generation> _active = [];
    private readonly AutoResetEvent _work = new(false);
    private readonly Generation[] _stepped;
    private readonly Session[] _sessions;
    private readonly int[] _tokens;
    private readonly TokenPick[] _picks;
    private readonly Thread? _thread;
    private int _turn;
    private volatile bool _closing;

    /// <summary>Makes a host and, unless it is manual, starts its thread.</summary>
    /// <param name="model">What it serves; it stays the caller's to dispose, after the host.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="NotSupportedException">The model has no vocabulary.</exception>
    public ModelHost(Model model, ModelHostOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _options = options ?? new ModelHostOptions();
        _options.Validate();
        if (!model.Tokenizer.HasVocabulary)
            throw new NotSupportedException($"'{model.Name}' has no vocabulary, which text needs; feed token ids to sessions, or convert the model with its tokenizer.");
        Model = model;
        _stepped = new Generation[_options.MaxSequences];
        _sessions = new Session[_options.MaxSequences];
        _tokens = new int[_options.MaxSequences];
        _picks = new TokenPick[_options.MaxSequences];
        if (_options.Manual) return;
        _thread = new Thread(Drive) { IsBackground = true, Name = "MambaRT host" };
        _thread.Start();
    }

    /// <summary>The model it serves.</summary>
    public Model Model { get; }

    /// <summary>Requests that wait for a sequence.</summary>
    public int Waiting
    {
        get
        {
            lock (_requests) return _queue.Count;
        }
    }

    /// <summary>Asks for an answer.</summary>
    /// <param name="prompt">At least one token; must not change before the answer has ended.</param>
    /// <param name="sampler">What picks its tokens, and nobody else's: on the host's thread.</param>
    /// <param name="options">How far it goes; null for the defaults.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="ArgumentException">There is no token, or one outside the vocabulary; or an option is out of range.</exception>
    /// <exception cref="QueueFullException">Too many requests wait.</exception>
    /// <exception cref="ObjectDisposedException">The host was disposed.</exception>
    public Generation Start(ReadOnlyMemory<int> prompt, SamplerChain sampler, GenerationOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        options ??= new GenerationOptions();
        options.Validate();
        if (options.OnLogProbs is not null) throw new ArgumentException("A host tells no log-probabilities (OnLogProbs); generate with a session of its own for them.", nameof(options));
        if (prompt.IsEmpty) throw new ArgumentException("A generation needs at least one token to begin with; found none.", nameof(prompt));
        foreach (int token in prompt.Span)
            if ((uint)token >= (uint)Model.Plan.VocabularySize)
                throw new ArgumentException($"Token {token} is outside the vocabulary of {Model.Plan.VocabularySize}; ids run from 0 to {Model.Plan.VocabularySize - 1}.", nameof(prompt));
        var generation = new Generation(this, prompt, sampler, options, cancel);
        lock (_requests)
        {
            ObjectDisposedException.ThrowIf(_closing, this);
            if (_queue.Count - Free >= _options.MaxQueue) throw new QueueFullException(_queue.Count);
            _queue.Add(generation);
        }
        Wake();
        return generation;
    }

    /// <summary>Takes one step: a token of every answer that is being read, and a chunk of one prompt.</summary>
    /// <returns>Whether there was anything to do.</returns>
    /// <exception cref="InvalidOperationException">The host has a thread of its own (<see cref="ModelHostOptions.Manual"/>).</exception>
    public bool Step()
    {
        if (!_options.Manual) throw new InvalidOperationException("This host has a thread of its own; make it with Manual to drive it by Step.");
        ObjectDisposedException.ThrowIf(_closing, this);
        return StepOnce();
    }

    /// <summary>Does something with the model between two steps, such as saving a session.</summary>
    /// <param name="use">Given the model; while it runs, no answer goes on.</param>
    public T Use<T>(Func<Model, T> use)
    {
        ArgumentNullException.ThrowIfNull(use);
        lock (_gate) return use(Model);
    }

    /// <summary>Ends all answers as a cancellation does, and waits for the step that is being taken.</summary>
    public void Dispose()
    {
        lock (_requests)
        {
            if (_closing) return;
            _closing = true;
        }
        lock (_active) foreach (Generation generation in _active) generation.Cancel();
        _work.Set();
        if (_thread != Thread.CurrentThread) _thread?.Join();
        lock (_gate)
        {
            lock (_requests)
                foreach (Generation waiting in _queue) waiting.End(StopReason.Cancelled);
            foreach (Generation generation in _active) generation.End(StopReason.Cancelled);
            _active.Clear();
        }
        _work.Dispose();
    }

    /// <summary>Says that there may be something to do.</summary>
    internal void Wake()
    {
        if (_closing || _thread is null) return;
        try
        {
            _work.Set();
        }
        catch (ObjectDisposedException)
        {
            // Disposed since; nothing is to be done.
        }
    }

    private int Free => _options.MaxSequences - _active.Count;

    private void Drive()
    {
        while (!_closing)
            if (!StepOnce()) _work.WaitOne();
    }

    private bool StepOnce()
    {
        lock (_gate)
        {
            Admit();
            EndCancelled();
            bool did = Decode();
            did |= FeedChunk();
            lock (_active) _active.RemoveAll(static generation => generation.IsOver);
            return did;
        }
    }

    /// <summary>Gives those that wait a state, in their order, as far as there is room; those that were cancelled wait no longer.</summary>
    private void Admit()
    {
        lock (_requests)
        {
            foreach (Generation waiting in _queue)
                if (waiting.Cancelled.IsCancellationRequested) waiting.End(StopReason.Cancelled);
            _queue.RemoveAll(static waiting => waiting.IsOver);
            while (Free > 0 && _queue.Count > 0 && TryBegin(_queue[0]))
            {
                if (!_queue[0].IsOver) lock (_active) _active.Add(_queue[0]);
                _queue.RemoveAt(0);
            }
        }
    }

    /// <summary>False where it has to wait until another's state is given back.</summary>
    private bool TryBegin(Generation next)
    {
        try
        {
            next.Begin(Model.StartSession());
        }
        catch (StateBudgetException) when (_active.Count > 0)
        {
            return false;
        }
        catch (Exception e)
        {
            next.End(StopReason.None, e);
        }
        return true;
    }

    private void EndCancelled()
    {
        foreach (Generation generation in _active)
            if (generation.Cancelled.IsCancellationRequested) generation.End(StopReason.Cancelled);
    }

    /// <summary>One token of every answer whose reader has room.</summary>
    private bool Decode()
    {
        int count = 0;
        foreach (Generation generation in _active)
        {
            if (generation.IsOver || !generation.IsPrompted || !generation.HasRoom) continue;
            _stepped[count] = generation;
            _sessions[count] = generation.Session!;   // every active one has a state
            _tokens[count++] = generation.Next;
        }
        if (_options.Deterministic)
            for (int i = 0; i < count; i++) Advance(i, 1);
        else if (count > 0) Advance(0, count);
        Array.Clear(_stepped, 0, count);
        Array.Clear(_sessions, 0, count);
        return count > 0;
    }

    /// <summary>Feeds a token to some, and picks the next ones: on the device where nobody's sampler needs logits.</summary>
    private void Advance(int first, int count)
    {
        long start = Stopwatch.GetTimestamp();
        Span<Generation> stepped = _stepped.AsSpan(first, count);
        Span<int> tokens = _tokens.AsSpan(first, count);
        bool onDevice = true;
        for (int i = 0; i < count; i++)
        {
            onDevice &= stepped[i].Pick is not null;
            _picks[i] = stepped[i].Pick ?? default;
        }
        ReadOnlySpan<float> logits = default;
        try
        {
            if (count > 1 && onDevice) Model.PickBatch(_sessions.AsSpan(first, count), tokens, _picks.AsSpan(0, count), tokens);
            else if (count > 1) logits = Model.FeedBatch(_sessions.AsSpan(first, count), tokens);
            else if (onDevice) tokens[0] = _sessions[first].Pick(tokens, _picks[0]);
            else logits = _sessions[first].Feed(tokens);
        }
        catch (Exception e)
        {
            foreach (Generation generation in stepped) generation.End(StopReason.None, e);
            return;
        }
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        int vocabulary = Model.Plan.VocabularySize;
        for (int i = 0; i < count; i++)
        {
            stepped[i].TookToken(time);
            if (onDevice) stepped[i].Picked(tokens[i]);
            else stepped[i].PickBy(logits.Slice(i * vocabulary, vocabulary));
        }
    }

    /// <summary>One chunk of the prompt whose turn it is. It is a run of its own, so that a cancellation within it harms nobody else.</summary>
    private bool FeedChunk()
    {
        for (int i = 0; i < _active.Count; i++)
        {
            Generation generation = _active[(_turn + i) % _active.Count];
            if (generation.IsOver || generation.IsPrompted) continue;
            _turn = (_turn + i) % _active.Count + 1;
            try
            {
                Feed(generation, generation.Chunk(Model.ChunkTokens));
            }
            catch (OperationCanceledException)
            {
                generation.End(StopReason.Cancelled);
            }
            catch (Exception e)
            {
                generation.End(StopReason.None, e);
            }
            return true;
        }
        return false;
    }

    private static void Feed(Generation generation, ReadOnlySpan<int> chunk)
    {
        Session session = generation.Session!;   // every active one has a state
        bool needsNone = generation.NeedsNoToken(chunk.Length);
        if (!needsNone && generation.Pick is { } pick)
        {
            int token = session.Pick(chunk, pick, generation.Cancelled);
            generation.TookChunk(chunk.Length);
            generation.Picked(token);
            return;
        }
        ReadOnlySpan<float> logits = session.Feed(chunk, generation.Cancelled);
        generation.TookChunk(chunk.Length);
        if (!needsNone) generation.PickBy(logits);
    }
}
