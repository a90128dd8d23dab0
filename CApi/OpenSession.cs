using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>A session with the logits of its last token, which lie where C can read them, and the tokens it was fed, 4 bytes each, for penalties.</summary>
internal sealed class OpenSession(OpenModel owner, Session session)
{
    private readonly List<int> _history = [];
    private float[]? _logits;
    private bool _hasLogits;
    private SlicedFeed? _slices;
    private int[] _sliced = [];

    /// <summary>Its model.</summary>
    public OpenModel Owner { get; } = owner;

    /// <summary>The session.</summary>
    public Session Session { get; } = session;

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

    /// <summary>Begins a feed in slices.</summary>
    public void Begin(ReadOnlySpan<int> tokens)
    {
        _slices = Session.FeedInSlices(tokens);
        _sliced = tokens.ToArray();
        _hasLogits = false;
    }

    /// <summary>Goes on with it; true when all is fed.</summary>
    public bool Step(TimeSpan time)
    {
        if (_slices is null || _slices.IsOver) throw new StatusException(Status.State, "No feed in slices is under way on this session; begin one.");
        if (Cancellation.Token.IsCancellationRequested)
        {
            GiveUp();
            throw new OperationCanceledException("The feed in slices was cancelled and given up.");
        }
        if (!_slices.Advance(time, out ReadOnlySpan<float> logits)) return false;
        Took(_sliced, logits);
        _slices = null;
        return true;
    }

    /// <summary>Gives it up.</summary>
    public void GiveUp()
    {
        _slices?.Dispose();
        _slices = null;
        Cancellation.Renew();
    }

    private void Keep(ReadOnlySpan<float> logits)
    {
        _logits ??= GC.AllocateUninitializedArray<float>(logits.Length, pinned: true);
        logits.CopyTo(_logits);
        _hasLogits = true;
    }
}
