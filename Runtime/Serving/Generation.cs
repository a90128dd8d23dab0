using System.Diagnostics;
using System.Runtime.CompilerServices;
using MambaRT.Formats;

namespace MambaRT.Serving;

/// <summary>An answer that a <see cref="ModelHost"/> computes beside others. One reader at a time; <see cref="Cancel"/> is for any thread.</summary>
public sealed class Generation
{
    private readonly ModelHost _host;
    private readonly CancellationTokenSource _cancel = new();
    private readonly CancellationTokenRegistration _registration;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TextPicker _picker;
    private readonly GenerationOptions _options;
    private readonly ITokenizer _tokenizer;
    private readonly TokenText _shown;
    private readonly TokenHistory _history = new();
    private readonly TextPipe _text = new();
    private GenerationStats _stats;
    private Exception? _failure;
    private long _began;
    private int _fed, _cached;

    internal Generation(ModelHost host, ReadOnlyMemory<int> prompt, SamplerChain sampler, GenerationOptions options, CancellationToken cancel)
    {
        _host = host;
        Prompt = prompt;
        _options = options;
        _tokenizer = host.Model.Tokenizer;
        _shown = new TokenText(_tokenizer, options.Stop);
        _picker = new TextPicker(_tokenizer, sampler, options.IgnoreEos);
        _picker.BeginText();
        _registration = cancel.UnsafeRegister(static generation => ((Generation)generation!).Cancel(), this);   // given just here
    }

    /// <summary>Counts and times so far; times are those that the host spent on it and on what ran beside it.</summary>
    public GenerationStats Stats => _stats;

    /// <summary>Ends when the answer is computed, also by a failure, which awaiting it throws.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Gives the answer as it is computed. A reader that is slow makes this answer wait and no other; one that leaves cancels it.</summary>
    /// <param name="cancel">Ends the reading, and the answer.</param>
    /// <returns>Pieces of text, none empty.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    /// <exception cref="IOException">The model's file was changed, or the device failed.</exception>
    /// <exception cref="FormatException">What was computed is not finite.</exception>
    public async IAsyncEnumerable<string> ReadAsync([EnumeratorCancellation] CancellationToken cancel = default)
    {
        try
        {
            while (!_text.IsOver)
            {
                await _text.WaitAsync(cancel).ConfigureAwait(false);
                if (TryRead() is { Length: > 0 } piece) yield return piece;
            }
        }
        finally
        {
            Cancel();   // nothing where it has ended
        }
        if (_failure is { } failure) throw failure;
    }

    /// <summary>The text that is there, "" where there is none yet, or null when all was read: for a program that asks once a frame.</summary>
    /// <exception cref="IOException">All was read that was computed before the device failed, or the model's file was changed.</exception>
    /// <exception cref="FormatException">All was read that was computed before a value that is not finite.</exception>
    public string? TryRead()
    {
        if (_text.IsOver) return _failure is { } failure ? throw failure : null;
        string text = _text.Take();
        if (text.Length > 0) _host.Wake();
        return text;
    }

    /// <summary>As <see cref="TryRead()"/>, into memory of the caller's: nothing is allocated.</summary>
    /// <param name="text">Receives what is there and has room; at least two characters, as none that takes two is divided.</param>
    /// <returns>How many characters it received, 0 where there is none yet; -1 when all was read.</returns>
    /// <exception cref="ArgumentException">There is no room for a character.</exception>
    /// <inheritdoc cref="TryRead()" path="/exception"/>
    public int TryRead(Span<char> text)
    {
        if (text.Length < 2) throw new ArgumentException($"There is room for {text.Length} characters; at least two are needed.", nameof(text));
        if (_text.IsOver) return _failure is { } failure ? throw failure : -1;
        int count = _text.Take(text);
        if (count > 0) _host.Wake();
        return count;
    }

    /// <summary>Ends it within about the time of a token, also while it waits or its prompt is fed. Any thread.</summary>
    public void Cancel()
    {
        _cancel.Cancel();
        _host.Wake();
    }

    /// <summary>What is fed before the first token is picked.</summary>
    internal ReadOnlyMemory<int> Prompt { get; }

    /// <summary>Its state, from when it is computed on.</summary>
    internal Session? Session { get; private set; }

    /// <summary>The token that was picked and is to be fed.</summary>
    internal int Next { get; private set; } = -1;

    /// <summary>What ends it.</summary>
    internal CancellationToken Cancelled => _cancel.Token;

    /// <summary>Whether it has ended.</summary>
    internal bool IsOver { get; private set; }

    /// <summary>Whether all of the prompt is fed.</summary>
    internal bool IsPrompted => _fed == Prompt.Length;

    /// <summary>Whether the reader has room for another token's text; the host's thread.</summary>
    internal bool HasRoom => _text.Flush();

    /// <summary>Gives it a session, whose state is not set; the host's thread.</summary>
    internal void Begin(Session session)
    {
        Session = session;
        Checkpoints = new SequenceCheckpoints(session);
        _began = Stopwatch.GetTimestamp();
    }

    /// <summary>What its session has absorbed, from when it is computed on.</summary>
    internal SequenceCheckpoints? Checkpoints { get; private set; }

    /// <summary>Whether it is known where its session begins.</summary>
    internal bool HasStart { get; private set; }

    /// <summary>Notes where its session begins: at a kept state, or at the zero state.</summary>
    internal void StartAt(Checkpoint? kept)
    {
        HasStart = true;
        if (kept is null) return;
        Checkpoints!.Restart(kept.Trail, kept.IsExact);   // it is computed
        _fed = _cached = (int)kept.Trail.Length;
        _history.Append(Prompt.Span[.._fed]);
        _stats = _stats with { CachedTokens = _cached };
    }

    /// <summary>The next chunk of the prompt.</summary>
    /// <param name="most">Tokens of a chunk.</param>
    /// <param name="exact">Whether chunks are cut as those of a lone prompt, and not where a state is to be kept.</param>
    internal ReadOnlySpan<int> Chunk(int most, bool exact)
    {
        int left = Math.Min(most, Prompt.Length - _fed);
        return Prompt.Span.Slice(_fed, exact ? left : Checkpoints!.Piece(left));   // it is computed
    }

    /// <summary>The first tokens of those that are to be fed.</summary>
    internal ReadOnlySpan<int> Ahead(int count) => Prompt.Span.Slice(_fed, count);

    /// <summary>How its next token is picked where the device can do it; null where the sampler needs logits.</summary>
    internal TokenPick? Pick => _picker.Pick;

    /// <summary>Whether the chunk at hand is not the prompt's last, or no token is wanted after it.</summary>
    internal bool NeedsNoToken(int chunk) => _fed + chunk < Prompt.Length || _options.MaxTokens == 0;

    /// <summary>Notes that a chunk was fed; the host's thread.</summary>
    internal void TookChunk(int tokens)
    {
        ReadOnlySpan<int> chunk = Ahead(tokens);
        _history.Append(chunk);
        Checkpoints!.Fed(chunk);   // it is computed
        _fed += tokens;
        _stats = _stats with { PromptTokens = _fed - _cached, Prompt = Stopwatch.GetElapsedTime(_began) };
        if (IsPrompted && _options.MaxTokens == 0) End(StopReason.MaxTokens);
    }

    /// <summary>Notes that <see cref="Next"/> was fed; the host's thread.</summary>
    internal void TookToken(TimeSpan time)
    {
        ReadOnlySpan<int> token = [Next];
        _history.Append(token);
        Checkpoints!.Fed(token);   // it is computed
        _stats = _stats with { DecodedTokens = _stats.DecodedTokens + 1, Generation = _stats.Generation + time };
    }

    /// <summary>Picks by logits of what was fed last; the host's thread.</summary>
    internal void PickBy(ReadOnlySpan<float> logits)
    {
        int token;
        try
        {
            token = _picker.Next(logits, _history.Tokens, Session!.Position);   // every one that is fed has a state
        }
        catch (Exception e)   // of a sampler, which may be the caller's own: it ends this answer and no other
        {
            End(StopReason.None, e);
            return;
        }
        Picked(token);
    }

    /// <summary>Takes the token that was picked; the host's thread.</summary>
    internal void Picked(int token)
    {
        if (_stats.FirstToken == default) _stats = _stats with { FirstToken = Stopwatch.GetElapsedTime(_began) };
        Next = token;
        if (_tokenizer.IsEndOfGeneration(token))
        {
            End(StopReason.EndOfGeneration);
            return;
        }
        _stats = _stats with { GeneratedTokens = _stats.GeneratedTokens + 1 };
        if (_shown.Show(token, _text.Pending)) End(StopReason.StopString);
        else if (_stats.GeneratedTokens == _options.MaxTokens) End(StopReason.MaxTokens);
        else _text.Flush();
    }

    /// <summary>Ends it; the host's thread.</summary>
    internal void End(StopReason reason, Exception? failure = null)
    {
        if (IsOver) return;
        IsOver = true;
        _registration.Unregister();
        _shown.Close(reason, _text.Pending);
        _stats = _stats with { Reason = reason };
        _failure = failure;
        if (failure is null) Checkpoints?.End(_host.IsDeterministic);
        else Session?.Dispose();
        _text.Flush();
        _text.End();
        if (failure is null) _completion.TrySetResult();
        else
        {
            _completion.TrySetException(failure);
            _ = _completion.Task.Exception;   // a reader may look at the text alone
        }
    }
}
