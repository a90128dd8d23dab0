using System.Diagnostics;

namespace MambaRT.Serving;

/// <summary>
/// Serves any number of threads with one model: answers are computed beside each other, each step one token of every answer and at most one chunk of one
/// prompt, so that a long prompt delays the next token of a running answer by no more than one chunk (<see cref="ModelOptions.ChunkTokens"/>).
/// </summary>
/// <remarks>
/// All members are for any thread. The host owns the use of the model while it lives: what else is done with it goes through <see cref="Use{T}"/>. Prompts take turns
/// by chunks; requests beyond <see cref="ModelHostOptions.MaxSequences"/>, or beyond the budget for states, wait in their order. A failure of the device ends
/// the answers that were in that step; a sampler or a reader that fails ends its own alone. The loop allocates nothing for a token. What of a
/// prompt was fed before, by whomever, is not fed again where its state is kept (<see cref="ModelOptions.Checkpoints"/>); <see cref="GenerationStats.CachedTokens"/> says how much.
/// </remarks>
public sealed class ModelHost : IDisposable
{
    private readonly ModelHostOptions _options;
    private readonly Lock _gate = new();               // around every use of the model
    private readonly Lock _requests = new();           // around the queue
    private readonly List<Generation> _queue = [];
    private readonly List<Generation> _active = [];
    private readonly AutoResetEvent _work = new(false);
    private readonly List<Generation> _due = [];       // those that get a token in the step at hand
    private readonly HostRun _run;
    private readonly Thread? _thread;
    private int _turn, _dueAt;
    private bool _chunkIsDue;
    private long _ended;
    private volatile bool _closing;

    /// <summary>Makes a host and, unless it is manual, starts its thread.</summary>
    /// <param name="model">What it serves; it stays the caller's to dispose, after the host.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="NotSupportedException">The model has no vocabulary.</exception>
    /// <exception cref="InvalidOperationException">It is manual, and another thread is inside the model.</exception>
    public ModelHost(Model model, ModelHostOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _options = options ?? new ModelHostOptions();
        _options.Validate();
        if (!model.Tokenizer.HasVocabulary)
            throw new NotSupportedException($"'{model.Name}' has no vocabulary, which text needs; feed token ids to sessions, or convert the model with its tokenizer.");
        Model = model;
        _run = new HostRun(model, _options.MaxSequences, _options.Deterministic);
        if (_options.Manual)
        {
            model.Prepare(_options.MaxSequences);
            return;
        }
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

    /// <summary>Requests that have one.</summary>
    public int Active
    {
        get
        {
            lock (_active) return _active.Count;
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
        try
        {
            lock (_requests)
            {
                ObjectDisposedException.ThrowIf(_closing, this);
                if (_queue.Count - Free >= _options.MaxQueue) throw new QueueFullException(_queue.Count);
                _queue.Add(generation);
            }
        }
        catch
        {
            generation.End(StopReason.Cancelled);   // what cancels it may live on, and would hold it
            throw;
        }
        Wake();
        return generation;
    }

    /// <summary>Takes one step: a token of every answer that is being read, and a chunk of one prompt.</summary>
    /// <returns>Whether there was anything to do.</returns>
    /// <exception cref="InvalidOperationException">The host has a thread of its own (<see cref="ModelHostOptions.Manual"/>).</exception>
    public bool Step()
    {
        CheckManual();
        return StepOnce();
    }

    /// <summary>Takes steps for a time, as a game does that gives its characters a share of each frame; nothing is done between calls.</summary>
    /// <param name="time">
    /// For how long, 0 and less for one unit of work. A unit that was begun is ended: on cpu about 0.1 ms, and rarely more than 0.2 ms, so that a token of a large model
    /// is computed over several frames; on a backend that cannot leave a run in its midst, a step's tokens or chunk.
    /// </param>
    /// <returns>What was done.</returns>
    /// <exception cref="InvalidOperationException">The host has a thread of its own (<see cref="ModelHostOptions.Manual"/>).</exception>
    public StepProgress Step(TimeSpan time)
    {
        CheckManual();
        long began = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            long prompt = _run.PromptTokens, generated = _run.GeneratedTokens, ended = _ended;
            while (_run.IsBegun || _run.TakeKeep() || NextOfAny())
            {
                if (_run.IsCancelled) _run.GiveUp();
                else if (!_run.Step(time - Stopwatch.GetElapsedTime(began))) break;
                if (Stopwatch.GetElapsedTime(began) >= time) break;
            }
            if (!_run.IsBegun) Sweep();
            return new StepProgress((int)(_run.PromptTokens - prompt), (int)(_run.GeneratedTokens - generated), (int)(_ended - ended), HasMore);
        }
    }

    /// <summary>Does something with the model between two steps, such as saving a session.</summary>
    /// <param name="use">Given the model; while it runs, no answer goes on.</param>
    public T Use<T>(Func<Model, T> use)
    {
        ArgumentNullException.ThrowIfNull(use);
        using (Hold()) return use(Model);
    }

    /// <summary>Keeps answers from going on until what is returned is disposed, so that the model can be used meanwhile.</summary>
    public Lock.Scope Hold() => _gate.EnterScope();

    /// <summary>Ends all answers as a cancellation does, and waits for the step that is being taken.</summary>
    /// <exception cref="InvalidOperationException">The caller keeps answers from going on, and would wait for one of them.</exception>
    public void Dispose()
    {
        lock (_requests)
        {
            if (_closing) return;
            if (_thread is not null && _gate.IsHeldByCurrentThread && _thread != Thread.CurrentThread)
                throw new InvalidOperationException("A ModelHost cannot be disposed within Use or Hold, as its thread may wait for these to end; dispose it afterwards.");
            _closing = true;
        }
        lock (_active) foreach (Generation generation in _active) generation.Cancel();
        _work.Set();
        if (_thread != Thread.CurrentThread) _thread?.Join();
        lock (_gate)
        {
            if (_run.IsBegun && !Model.IsClosed) _run.GiveUp();
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

    /// <summary>Whether answers are the lone ones to the bit.</summary>
    internal bool IsDeterministic => _options.Deterministic;

    private int Free => _options.MaxSequences - _active.Count;

    private void CheckManual()
    {
        if (!_options.Manual) throw new InvalidOperationException("This host has a thread of its own; make it with Manual to drive it by Step.");
        ObjectDisposedException.ThrowIf(_closing, this);
    }

    private void Drive()
    {
        while (!_closing)
            if (!StepOnce()) _work.WaitOne();
    }

    private bool StepOnce()
    {
        lock (_gate)
        {
            bool did = _run.IsBegun;
            if (!did) BeginRound();
            else if (_run.IsCancelled) _run.GiveUp();
            else while (!_run.Step(TimeSpan.MaxValue)) { }
            while (Next())
            {
                _run.Whole();
                did = true;
            }
            Sweep();
            return did;
        }
    }

    /// <summary>Whether a step for a time would find anything to do.</summary>
    private bool HasMore
    {
        get
        {
            if (_run.IsBegun || (Free > 0 && Waiting > 0)) return true;
            foreach (Generation generation in _active)
                if (!generation.IsOver && (!generation.IsPrompted || generation.HasRoom)) return true;
            return false;
        }
    }

    /// <summary>A step's answers and prompt: who gets a token, and that one prompt's chunk is due.</summary>
    private void BeginRound()
    {
        Admit();
        EndCancelled();
        _due.Clear();
        foreach (Generation generation in _active)
            if (!generation.IsOver && generation.IsPrompted && generation.HasRoom) _due.Add(generation);
        (_dueAt, _chunkIsDue) = (0, true);
    }

    /// <summary>Makes the next run of the step: all that get a token, or one of them after the other, and then a chunk; false where the step is over.</summary>
    private bool Next()
    {
        while (_dueAt < _due.Count && _due[_dueAt].IsOver) _dueAt++;   // cancelled since the step began
        if (_dueAt < _due.Count)
        {
            int count = _options.Deterministic ? 1 : _due.Count - _dueAt;
            _run.Take(_due, _dueAt, count);
            _dueAt += count;
            return true;
        }
        bool isDue = _chunkIsDue;
        _chunkIsDue = false;
        return isDue && NextChunk();
    }

    /// <summary>The next run of this step or else of another one; false where nothing is to be done.</summary>
    private bool NextOfAny()
    {
        if (Next()) return true;
        Sweep();
        BeginRound();
        return Next();
    }

    /// <summary>Lets those go that have ended.</summary>
    private void Sweep()
    {
        lock (_active) _ended += _active.RemoveAll(static generation => generation.IsOver);
    }

    /// <summary>Gives those that wait a state, in their order, as far as there is room; those that were cancelled wait no longer.</summary>
    private void Admit()
    {
        lock (_requests)
        {
            foreach (Generation waiting in _queue)
                if (waiting.Cancelled.IsCancellationRequested) waiting.End(StopReason.Cancelled);
            _ended += _queue.RemoveAll(static waiting => waiting.IsOver);
            while (Free > 0 && _queue.Count > 0 && TryBegin(_queue[0]))
            {
                if (_queue[0].IsOver) _ended++;
                else lock (_active) _active.Add(_queue[0]);
                _queue.RemoveAt(0);
            }
        }
    }

    /// <summary>False where it has to wait until another's state is given back.</summary>
    private bool TryBegin(Generation next)
    {
        try
        {
            next.Begin(Model.StartUnset());
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

    /// <summary>One chunk of the prompt whose turn it is. It is a run of its own, so that a cancellation within it harms nobody else.</summary>
    private bool NextChunk()
    {
        for (int i = 0; i < _active.Count; i++)
        {
            Generation generation = _active[(_turn + i) % _active.Count];
            if (generation.IsOver || generation.IsPrompted) continue;
            _turn = (_turn + i) % _active.Count + 1;
            _run.Take(generation);
            return true;
        }
        return false;
    }
}
