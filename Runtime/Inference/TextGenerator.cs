using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using MambaRT.Formats;

namespace MambaRT;

/// <summary>
/// Generates text with a session: feeds a prompt, picks token after token, and gives the text in pieces that are whole characters and
/// hold no part of a stop string. One run at a time; further runs go on where the one before ended.
/// </summary>
/// <remarks>
/// The token that ends a generation is never fed. The last token of a run that ends otherwise is fed when it is needed at the latest: at the beginning of the
/// next run, or by <see cref="Settle"/>. Tokens are picked where the model runs if a <see cref="TokenPick"/> says what the sampler does. Between tokens nothing is allocated but the pieces. One thread at a time, as its model.
/// </remarks>
public sealed class TextGenerator
{
    private readonly Session _session;
    private readonly GenerationOptions _options;
    private readonly ITokenizer _tokenizer;
    private readonly TokenText _shown;
    private readonly StringBuilder _text = new();
    private readonly TokenHistory _history = new();
    private readonly int[] _single = new int[1];
    private readonly PickedSteps _steps;
    private readonly TextPicker _picker;
    private GenerationStats _stats;
    private int _pending = -1;
    private bool _running, _isWhole;

    /// <summary>Makes a generator.</summary>
    /// <param name="session">What it feeds; it stays the caller's.</param>
    /// <param name="sampler">What picks the tokens.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="NotSupportedException">The model has no vocabulary, so there is no text.</exception>
    public TextGenerator(Session session, SamplerChain sampler, GenerationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(sampler);
        _options = options ?? new GenerationOptions();
        _options.Validate();
        _session = session;
        _steps = new PickedSteps(session);
        _tokenizer = session.Model.Tokenizer;
        if (!_tokenizer.HasVocabulary)
            throw new NotSupportedException($"'{session.Model.Name}' has no vocabulary, which text needs; feed token ids to the session, or convert the model with its tokenizer.");
        _shown = new TokenText(_tokenizer, _options.Stop);
        _picker = new TextPicker(_tokenizer, sampler, _options.IgnoreEos);
    }

    /// <summary>Counts and times of the run at hand, or of the last one.</summary>
    public GenerationStats Stats => _stats;

    /// <summary>Whether the run's prompt is part of the session's state; false while a run feeds it, and after a cancellation there.</summary>
    internal bool PromptAbsorbed { get; set; }

    /// <summary>Whether what the run added to the session after the prompt is the text it gave and nothing else.</summary>
    internal bool TextIsWhole => _isWhole && _shown.IsWhole;

    /// <summary>The token picked and shown but not yet fed, or -1.</summary>
    internal int Pending { get => _pending; set => _pending = value; }

    /// <summary>What the samplers look back on.</summary>
    internal TokenHistory History => _history;

    /// <summary>
    /// What follows the session's tokens and keeps states, or null. A prompt is then fed in pieces, so that one which is cancelled leaves the session somewhere within
    /// it, for whoever set this to go back.
    /// </summary>
    internal SequenceCheckpoints? Checkpoints { get; init; }

    /// <summary>Feeds a prompt and generates. Nothing happens before the first piece is asked for; a reader that stops reading cancels.</summary>
    /// <param name="promptTokens">At least one token, unless the run before left one unfed; must not change during the run.</param>
    /// <param name="cancel">
    /// Ends the run with <see cref="StopReason.Cancelled"/> and without an exception, within about the time of one token.
    /// Within the prompt the session is then as it was before.
    /// </param>
    /// <returns>Pieces of text, none empty.</returns>
    /// <exception cref="ArgumentException">There is no token, or (when reading) one outside the vocabulary.</exception>
    /// <exception cref="InvalidOperationException">When reading: another run has not ended, or every token is banned.</exception>
    /// <exception cref="IOException">When reading: the model's file was changed while in use.</exception>
    public IEnumerable<string> Generate(ReadOnlyMemory<int> promptTokens, CancellationToken cancel = default)
    {
        CheckPrompt(promptTokens);
        return Run(promptTokens, cancel);
    }

    /// <summary>As <see cref="Generate"/>, computing on the thread pool so that the reader's thread stays free; it computes only while a piece is awaited.</summary>
    /// <inheritdoc cref="Generate"/>
    public IAsyncEnumerable<string> GenerateAsync(ReadOnlyMemory<int> promptTokens, CancellationToken cancel = default)
    {
        CheckPrompt(promptTokens);
        return new AwaitedPieces(OffThread(promptTokens, cancel));
    }

    /// <summary>Feeds the token that the last run left unfed, if there is one: the session's state then covers all generated tokens.</summary>
    public void Settle()
    {
        if (_pending >= 0) FeedPending();
    }

    private void CheckPrompt(ReadOnlyMemory<int> promptTokens)
    {
        if (promptTokens.IsEmpty && _pending < 0)
            throw new ArgumentException("A generation needs at least one token to begin with; found none.", nameof(promptTokens));
    }

    private async IAsyncEnumerable<string> OffThread(ReadOnlyMemory<int> prompt, [EnumeratorCancellation] CancellationToken cancel)
    {
        using IEnumerator<string> pieces = Run(prompt, cancel).GetEnumerator();
        Func<bool> next = pieces.MoveNext;
        while (await Task.Run(next, CancellationToken.None).ConfigureAwait(false)) yield return pieces.Current;
    }

    private IEnumerable<string> Run(ReadOnlyMemory<int> prompt, CancellationToken cancel)
    {
        Start();
        StopReason reason = StopReason.None;   // what an exception leaves; while the reader has a piece, what its leaving leaves
        try
        {
            if (!TryPrefill(prompt, cancel, out int token)) reason = StopReason.Cancelled;
            else if (_options.MaxTokens == 0) reason = StopReason.MaxTokens;
            while (reason == StopReason.None)
            {
                if (_tokenizer.IsEndOfGeneration(token))
                {
                    reason = StopReason.EndOfGeneration;
                    break;
                }
                bool stop = _shown.Show(token, _text);
                if (_text.Length > 0)
                {
                    reason = StopReason.Cancelled;
                    yield return TakeText();
                    reason = StopReason.None;
                }
                if (stop) reason = StopReason.StopString;
                else if (_stats.GeneratedTokens == _options.MaxTokens) reason = StopReason.MaxTokens;
                else if (cancel.IsCancellationRequested) reason = StopReason.Cancelled;
                else token = Next();
            }
            _stats = _stats with { Reason = reason };
            EndSteps();
            _shown.Close(reason, _text);
            if (_text.Length > 0) yield return TakeText();
        }
        finally
        {
            _stats = _stats with { Reason = reason };
            EndSteps();
            _shown.Close(reason, _text);
            if (_text.Length > 0) _isWhole = false;   // the reader left before it was given the rest
            _running = false;
        }
    }

    private void Start()
    {
        if (_running) throw new InvalidOperationException("This generator is within a run; read that to its end or dispose its enumerator first.");
        _running = true;
        _stats = default;
        PromptAbsorbed = false;
        _isWhole = true;
        _shown.Begin();
        _text.Clear();
        _picker.BeginText();
    }

    /// <summary>Whether nothing here needs logits.</summary>
    private bool PicksOnDevice => _picker.Pick is not null && _options.OnLogProbs is null;

    /// <summary>Waits for the step ahead, if there is one, which may have fed the token shown last.</summary>
    private void EndSteps()
    {
        try
        {
            if (!_steps.End() || _pending < 0) return;
        }
        catch (ObjectDisposedException)
        {
            return;   // the model, and with it all that was to be fed
        }
        NotePendingFed();
    }

    private void NotePendingFed()
    {
        _single[0] = _pending;
        _pending = -1;
        Took(_single);
    }

    /// <summary>Notes tokens that the session has absorbed.</summary>
    private void Took(ReadOnlySpan<int> tokens)
    {
        _history.Append(tokens);
        if (Checkpoints is null) return;
        Checkpoints.Fed(tokens);
        if (Checkpoints.IsDue) Checkpoints.Keep();
    }

    /// <summary>Feeds the token left over and the prompt, and picks the first token; false when cancelled, with the session as before (but see <see cref="Checkpoints"/>).</summary>
    private bool TryPrefill(ReadOnlyMemory<int> prompt, CancellationToken cancel, out int token)
    {
        token = -1;
        if (_pending >= 0) prompt = (int[])[_pending, .. prompt.Span];
        ReadOnlySpan<int> tokens = prompt.Span;
        long start = Stopwatch.GetTimestamp();
        bool picks = PicksOnDevice && _options.MaxTokens != 0;
        ReadOnlySpan<float> logits = default;
        _stats = _stats with { CachedTokens = (int)Math.Min(int.MaxValue, _session.Position) };
        try
        {
            while (Checkpoints?.Piece(tokens.Length) is int piece && piece < tokens.Length)
            {
                _session.Feed(tokens[..piece], cancel);
                _pending = -1;
                Took(tokens[..piece]);
                tokens = tokens[piece..];
            }
            if (picks) token = _session.Pick(tokens, _picker.Pick!.Value, cancel);   // there is one, as PicksOnDevice says
            else logits = _session.Feed(tokens, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return false;
        }
        _pending = -1;
        PromptAbsorbed = true;
        Took(tokens);
        _stats = _stats with { PromptTokens = prompt.Length, Prompt = Stopwatch.GetElapsedTime(start) };
        if (_options.MaxTokens == 0) return true;
        if (picks) _steps.Begin(_picker.Pick!.Value);
        else token = Pick(logits);
        Keep(token);
        _stats = _stats with { FirstToken = Stopwatch.GetElapsedTime(start) };
        return true;
    }

    /// <summary>Feeds the token picked last and picks the one after it.</summary>
    private int Next()
    {
        long start = Stopwatch.GetTimestamp();
        int token = PicksOnDevice ? StepOnDevice() : Pick(FeedPending());
        Keep(token);
        _stats = _stats with { DecodedTokens = _stats.DecodedTokens + 1, Generation = _stats.Generation + Stopwatch.GetElapsedTime(start) };
        return token;
    }

    private int StepOnDevice()
    {
        bool whole = _isWhole;
        _isWhole = false;   // what a failure within leaves
        int token = _steps.Next(_pending, _options.MaxTokens < 0 || _stats.GeneratedTokens + 1 < _options.MaxTokens);
        NotePendingFed();
        _isWhole = whole;
        return token;
    }

    /// <summary>Feeds one token without a cancellation: that would cost a copy of the state each time, and one token is soon done.</summary>
    private ReadOnlySpan<float> FeedPending()
    {
        bool whole = _isWhole;
        _isWhole = false;   // what a failure within leaves
        _single[0] = _pending;
        ReadOnlySpan<float> logits = _session.Feed(_single);
        NotePendingFed();
        _isWhole = whole;
        return logits;
    }

    /// <summary>Picks by logits, and reports them.</summary>
    private int Pick(ReadOnlySpan<float> logits)
    {
        int token = _picker.Next(logits, _history.Tokens, _session.Position);
        if (!_tokenizer.IsEndOfGeneration(token) && _options.OnLogProbs is { } report) report(Describe(logits[..Math.Min(logits.Length, _picker.Vocabulary)], token));
        return token;
    }

    /// <summary>Takes a token that was picked for one to show and to feed, unless it ends the text.</summary>
    private void Keep(int token)
    {
        if (_tokenizer.IsEndOfGeneration(token)) return;
        _pending = token;
        _stats = _stats with { GeneratedTokens = _stats.GeneratedTokens + 1 };
    }

    private TokenLogProbs Describe(ReadOnlySpan<float> logits, int token)
    {
        if (_picker.Unused.Length > 0)
        {
            float[] meant = logits.ToArray();
            foreach (int unused in _picker.Unused) meant[unused] = float.NegativeInfinity;
            logits = meant;
        }
        int count = Math.Min(_options.LogProbs, logits.Length - _picker.Unused.Length);
        int[] ids = new int[count];
        float[] values = new float[count];
        LogProbs.Top(logits, ids, values);
        var top = new TokenLogProb[count];
        for (int i = 0; i < count; i++) top[i] = new TokenLogProb(ids[i], TextOf(ids[i]), BytesOf(ids[i]), values[i]);
        return new TokenLogProbs(token, TextOf(token), BytesOf(token), LogProbs.Of(logits, token), top);
    }

    private byte[] BytesOf(int token) => _tokenizer.Decode(token, renderSpecial: true).ToArray();

    private string TextOf(int token) => Encoding.UTF8.GetString(_tokenizer.Decode(token, renderSpecial: true));

    private string TakeText()
    {
        string text = _text.ToString();
        _text.Clear();
        return text;
    }
}
