using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>A session with the logits of its last token, which lie where C can read them, and the tokens it was fed, 4 bytes each, for penalties.</summary>
internal sealed class OpenSession
{
    private readonly List<int> _history = [];
    private readonly float[] _logits;
    private int _closed;
    private bool _hasLogits;

    // Of what is under way in slices of time; a feed, or a text where there is none.
    private bool _isStepping;
    private SlicedFeed? _slices;
    private int[] _stepped = [];
    private long _begun;

    /// <summary>Takes over a session, also where it fails.</summary>
    /// <exception cref="InsufficientMemoryException">Its logits are beyond the model's limit of memory.</exception>
    public OpenSession(OpenModel owner, Session session)
    {
        try
        {
            owner.Memory?.Count(LogitsBytes(owner.Model.Plan));
        }
        catch
        {
            session.Dispose();
            throw;
        }
        (Owner, Session) = (owner, session);
        _logits = GC.AllocateUninitializedArray<float>(owner.Model.Plan.VocabularySize, pinned: true);
    }

    /// <summary>What is kept of logits beside a session.</summary>
    public static long LogitsBytes(Plans.Plan plan) => (long)plan.VocabularySize * sizeof(float);

    /// <summary>Its model.</summary>
    public OpenModel Owner { get; }

    /// <summary>The session.</summary>
    public Session Session { get; }

    /// <summary>What ends a feed or a generation.</summary>
    public Cancellation Cancellation { get; } = new();

    /// <summary>The tokens it was fed, as far as they are known here.</summary>
    public ReadOnlySpan<int> History => CollectionsMarshal.AsSpan(_history);

    /// <summary>The logits of its last token.</summary>
    /// <exception cref="StatusException">There are none.</exception>
    public ReadOnlySpan<float> Logits => _hasLogits ? _logits
        : throw new StatusException(Status.Argument, "The session has no logits: nothing was fed, or what was fed last gave none. Feed a token.");

    /// <summary>Where they lie, until the session is fed again.</summary>
    public unsafe float* LogitsAddress => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(Logits));   // a pinned array

    /// <summary>Feeds tokens; the caller is inside the model.</summary>
    public void Feed(ReadOnlySpan<int> tokens)
    {
        try
        {
            ReadOnlySpan<float> logits = Session.Feed(tokens, Cancellation.Token);
            Took(tokens, logits);
        }
        finally
        {
            Cancellation.Renew();
        }
    }

    /// <summary>Feeds one token to each of several sessions of one model; the caller is inside it.</summary>
    public static void FeedBatch(OpenSession[] sessions, ReadOnlySpan<int> tokens)
    {
        Session[] fed = Array.ConvertAll(sessions, open => open.Session);
        Model model = sessions[0].Owner.Model;
        ReadOnlySpan<float> logits = model.FeedBatch(fed, tokens);
        int vocabulary = model.Plan.VocabularySize;
        for (int i = 0; i < sessions.Length; i++) sessions[i].Took(tokens.Slice(i, 1), logits.Slice(i * vocabulary, vocabulary));
    }

    /// <summary>Picks a token by the logits; tokens that stand for nothing are left out.</summary>
    public int Sample(SamplerChain chain)
    {
        ITokenizer tokenizer = Owner.Model.Tokenizer;
        return chain.Pick(Logits[..tokenizer.VocabularySize], History, tokenizer.UnusedTokens);
    }

    /// <summary>Takes over the past of another session.</summary>
    public void Rewind(OpenSession past)
    {
        Session.CopyFrom(past.Session);
        Replaced(past);
        if (past != this && past._hasLogits) Keep(past.Logits);
    }

    /// <summary>Notes tokens that were fed, and what they gave.</summary>
    public void Took(ReadOnlySpan<int> tokens, ReadOnlySpan<float> logits)
    {
        Keep(logits);
        _history.AddRange(tokens);
    }

    /// <summary>Notes that the past has changed: by another session's, a saved one, none, or text that was generated.</summary>
    public void Replaced(OpenSession? by = null)
    {
        _hasLogits = false;
        if (by == this) return;
        _history.Clear();
        if (by is not null) _history.AddRange(by.History);
    }

    /// <summary>A session with the same past.</summary>
    public OpenSession Fork()
    {
        var fork = new OpenSession(Owner, Session.Fork());
        fork.Replaced(this);
        if (_hasLogits) fork.Keep(Logits);
        return fork;
    }

    /// <summary>Begins a feed in slices of time.</summary>
    public void Begin(ReadOnlySpan<int> tokens) => Note(tokens, Session.FeedInSlices(tokens));

    /// <summary>Begins to feed and to generate in slices of time.</summary>
    public void Generate(ReadOnlySpan<int> tokens, SamplerChain sampler, int most)
    {
        Session.BeginSteps(tokens, sampler, most);
        Note(tokens, null);
    }

    /// <summary>Tokens that were generated so.</summary>
    public IReadOnlyList<int> Generated => Session.Generated;

    /// <summary>Goes on with it.</summary>
    public StepProgress Step(TimeSpan time)
    {
        if (!_isStepping) throw new StatusException(Status.State, "Nothing is under way on this session that could be stepped; begin a feed or a text.");
        if (Cancellation.Token.IsCancellationRequested)
        {
            GiveUp();
            throw new OperationCanceledException("What was under way was cancelled and given up.");
        }
        try
        {
            StepProgress progress = _slices is null ? Session.StepFor(time) : Feed(_slices, time);
            if (!progress.HasMore) Over();
            return progress;
        }
        catch when (_slices?.IsOver ?? false)
        {
            Over();
            throw;
        }
    }

    /// <summary>Gives it up.</summary>
    public void GiveUp()
    {
        if (_slices is not null) _slices.Dispose();
        else Session.CancelSteps();
        Over();
        Cancellation.Renew();
    }

    private StepProgress Feed(SlicedFeed slices, TimeSpan time)
    {
        int before = slices.Fed;
        bool done = slices.Advance(time, out ReadOnlySpan<float> logits);
        if (done) Keep(logits);
        return new StepProgress(slices.Fed - before, 0, done ? 1 : 0, !done);
    }

    private void Note(ReadOnlySpan<int> tokens, SlicedFeed? slices)
    {
        _hasLogits = false;
        (_isStepping, _slices, _begun, _stepped) = (true, slices, Session.Position, tokens.ToArray());
    }

    /// <summary>Notes what was fed of what was under way.</summary>
    private void Over()
    {
        if (!_isStepping) return;
        _isStepping = false;
        _slices = null;
        int fed = (int)(Session.Position - _begun), prompt = Math.Min(fed, _stepped.Length);
        _history.AddRange(_stepped.AsSpan(0, prompt));
        for (int i = 0; i < fed - prompt; i++) _history.Add(Session.Generated[i]);
    }

    /// <summary>Gives its state back.</summary>
    public void Close()
    {
        Session.Dispose();
        if (Interlocked.Exchange(ref _closed, 1) == 0) Owner.Memory?.Release(LogitsBytes(Owner.Model.Plan));
    }

    private void Keep(ReadOnlySpan<float> logits)
    {
        logits.CopyTo(_logits);
        _hasLogits = true;
    }
}
