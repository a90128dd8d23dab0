using System.Runtime.CompilerServices;
using System.Text;

namespace MambaRT.Chat;

/// <summary>
/// A conversation with a model: keeps the turns, feeds only what is new of each, and can go back, fork, and be saved. One thread at a time;
/// disposing, the model too, is for any thread and any time: an answer that is being given then ends with an <see cref="ObjectDisposedException"/>.
/// </summary>
/// <remarks>
/// The state has absorbed the conversation as the template renders it up to the answer, and the answer; the next turn feeds what the template
/// writes after that. Where a template changes what came before (it trims answers, say), what follows the longest kept state of it is fed. Where the state has
/// absorbed more than the answer shows (a stop string ended it, or a control token was in it), the state goes back to before the exchange, and
/// the next turn feeds the exchange as it reads. States are kept at the end of each turn and within long ones (<see cref="ModelOptions.Checkpoints"/>), for
/// all conversations with the model; what the budget has no longer is fed again.
/// What the user says is never parsed for control tokens.
/// </remarks>
public sealed class ChatSession : IDisposable
{
    private readonly Session _session;
    private readonly ChatTemplate _template;
    private readonly SamplerChain _sampler;
    private readonly GenerationOptions _options;
    private readonly TextGenerator _generator;
    private readonly ChatEncoder _encoder;
    private readonly ChatRenderer _renderer;
    private readonly SequenceCheckpoints _checkpoints;
    private readonly List<ChatMessage> _messages = [];
    private readonly List<ChatExchange> _exchanges = [];
    private IReadOnlyList<PromptPart> _absorbed = [];
    private int[] _behind = [];   // tokens of what was absorbed that the session, gone back to a kept state, is to be fed first
    private bool _talking;
    private volatile bool _disposed;

    /// <summary>Begins a conversation. Nothing is fed before the first turn.</summary>
    /// <param name="session">A session without a past. The chat takes it over and disposes it.</param>
    /// <param name="template">How turns are written; see <see cref="ChatTemplates.For"/>.</param>
    /// <param name="sampler">What picks the tokens.</param>
    /// <param name="options">How far an answer goes; null for the defaults.</param>
    /// <param name="system">What the model is told before all turns, or null.</param>
    /// <exception cref="ArgumentException">The session has absorbed tokens, or an option is out of range.</exception>
    /// <exception cref="NotSupportedException">The model has no vocabulary.</exception>
    public ChatSession(Session session, ChatTemplate template, SamplerChain sampler, GenerationOptions? options = null, string? system = null)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(template);
        ArgumentNullException.ThrowIfNull(sampler);
        if (session.Position != 0)
            throw new ArgumentException($"The session has absorbed {session.Position} tokens; a chat begins with a session without a past. Reset it, or start another.", nameof(session));
        _options = options ?? new GenerationOptions();
        _checkpoints = new SequenceCheckpoints(session);
        _generator = new TextGenerator(session, sampler, _options) { Checkpoints = _checkpoints };
        _session = session;
        _template = template;
        _sampler = sampler;
        _encoder = new ChatEncoder(session.Model.Tokenizer);
        _renderer = new ChatRenderer(template, session.Model.Tokenizer, _encoder);
        if (system is not null) _messages.Add(new ChatMessage("system", ChatEncoder.WellFormed(system)));
    }

    private ChatSession(ChatSession other, SamplerChain sampler)
    {
        _session = other._session.Fork();
        _template = other._template;
        _sampler = sampler;
        _options = other._options;
        _checkpoints = other._checkpoints.For(_session);
        _generator = new TextGenerator(_session, _sampler, _options) { Pending = other._generator.Pending, Checkpoints = _checkpoints };
        _generator.History.CopyFrom(other._generator.History);
        _encoder = other._encoder;
        _renderer = other._renderer;
        _messages = [.. other._messages];
        _absorbed = other._absorbed;
        _behind = other._behind;
        _exchanges = [.. other._exchanges];
    }

    /// <summary>The turns so far, oldest first: a view that follows the conversation.</summary>
    public IReadOnlyList<ChatMessage> Messages => _messages.AsReadOnly();

    /// <summary>Counts and times of the answer at hand, or of the last one.</summary>
    public GenerationStats Stats => _generator.Stats;

    /// <summary>Says something and gives the answer as it is computed, off the reader's thread. Nothing happens before the first piece is asked for.</summary>
    /// <param name="userText">What the user says.</param>
    /// <param name="cancel">
    /// Ends the answer within about the time of one token and without an exception; what was given stays as the answer.
    /// While the prompt is fed, the turn is taken back and the conversation is as before. A reader that stops reading cancels, too.
    /// </param>
    /// <returns>Pieces of the answer, none empty.</returns>
    /// <exception cref="FormatException">When reading: the template refuses the conversation, which is then as before.</exception>
    /// <exception cref="InvalidOperationException">When reading: another answer has not ended.</exception>
    /// <exception cref="IOException">When reading: the model's file was changed while in use.</exception>
    public IAsyncEnumerable<string> Say(string userText, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(userText);
        return new AwaitedPieces(Converse(ChatEncoder.WellFormed(userText), _exchanges.Count, cancel));
    }

    /// <summary>Says something else in an earlier turn's place, which takes that turn and all after it back. Cancelled while the prompt is fed, it leaves them.</summary>
    /// <param name="turn">Which of the user's turns, from 0.</param>
    /// <param name="userText">What the user says instead.</param>
    /// <param name="cancel">As in <see cref="Say"/>.</param>
    /// <inheritdoc cref="Say" path="/returns"/>
    /// <exception cref="ArgumentOutOfRangeException">There is no such turn.</exception>
    /// <exception cref="InvalidOperationException">When reading: another answer has not ended.</exception>
    public IAsyncEnumerable<string> Edit(int turn, string userText, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(userText);
        if ((uint)turn >= (uint)_exchanges.Count)
            throw new ArgumentOutOfRangeException(nameof(turn), $"There is no turn {turn}; the conversation has {_exchanges.Count}, counted from 0.");
        return new AwaitedPieces(Converse(ChatEncoder.WellFormed(userText), turn, cancel));
    }

    /// <summary>Answers the last turn again, by the random numbers that follow. Cancelled while the prompt is fed, it leaves the old answer.</summary>
    /// <inheritdoc cref="Say" path="/returns"/>
    /// <exception cref="InvalidOperationException">There is no answer, or (when reading) another has not ended.</exception>
    public IAsyncEnumerable<string> Retry(CancellationToken cancel = default)
    {
        if (_exchanges.Count == 0) throw new InvalidOperationException("There is no answer to give again; say something first.");
        return new AwaitedPieces(Converse(null, _exchanges.Count - 1, cancel));
    }

    /// <summary>Takes back the last turn of the user with its answer, and the state with it.</summary>
    /// <returns>False when there was none.</returns>
    public bool Undo()
    {
        CheckSilent();
        if (_exchanges.Count == 0) return false;
        TakeBack(_exchanges.Count - 1);
        return true;
    }

    /// <summary>Forgets all turns but the system's; state, samplers and random numbers begin anew.</summary>
    public void Reset()
    {
        CheckSilent();
        Rewind();
        _exchanges.Clear();
        _messages.RemoveRange(FirstTurn, _messages.Count - FirstTurn);
        _sampler.Reset();
    }

    /// <summary>A conversation with the same past and a separate future.</summary>
    /// <param name="sampler">What picks its tokens; null for a copy of this one's, with the same random numbers to come.</param>
    public ChatSession Fork(SamplerChain? sampler = null)
    {
        CheckSilent();
        return new ChatSession(this, sampler ?? _sampler.Clone());
    }

    /// <summary>
    /// Saves turns and state in one file, for <see cref="Load"/>. Options and random numbers are not part of it. The tokens that were fed are where they are 4,096 at most: going back to before a turn that was saved
    /// then feeds the same ones, and else the conversation as it reads.
    /// </summary>
    /// <param name="path">The file; a saved state of that name is replaced once the new one is complete.</param>
    /// <exception cref="IOException">The file cannot be written, or one of another kind has its name.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        CheckSilent();
        CatchUp();
        _generator.Settle();
        ReadOnlySpan<int> history = _generator.History.Tokens;
        int[] last = history[Math.Max(0, history.Length - ChatRecord.MaxHistory)..].ToArray();
        var record = new ChatRecord([.. _messages], [.. _absorbed], last, Places(last.Length == _session.Position ? last : []));
        _session.Save(record.ToBytes()).WriteFile(path);
    }

    /// <summary>Goes on with a saved conversation in place of this one.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote with the same model.</param>
    /// <returns>False where an earlier version saved it, which did not note the weights; see <see cref="Session.Restore"/>.</returns>
    /// <exception cref="FormatException">It is no such file, damaged, or another model's; this conversation is then as it was.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public bool Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        CheckSilent();
        StateSnapshot snapshot = StateSnapshot.ReadFile(path);
        _session.EnsureOwn(snapshot);
        ChatRecord record = ChatRecord.Parse(snapshot.Attachment, _session.Model.Tokenizer.VocabularySize, path);
        if ((snapshot.Position == 0) != (record.Absorbed.Length == 0))
            throw new FormatException($"{path}: the saved state has absorbed {snapshot.Position} tokens and the chat beside it {record.Absorbed.Length} texts; they do not belong together. Use another copy.");
        bool namesWeights = _session.Restore(snapshot);
        Forget();
        _exchanges.Clear();
        _messages.Clear();
        _messages.AddRange(record.Messages);
        _absorbed = record.Absorbed;
        _generator.History.Append(record.History);
        bool isWhole = record.History.Length == snapshot.Position;
        TokenTrail trail = isWhole ? TokenTrail.Empty : TokenTrail.Unknown(snapshot.Position);
        for (int i = FirstTurn; i < _messages.Count; i += 2)
        {
            ChatPlace place = isWhole && record.Places.Length > 0 ? record.Places[_exchanges.Count] : ChatPlace.Unknown;
            if (place != ChatPlace.Unknown) trail = trail.Then(record.History.AsSpan((int)trail.Length..place.Tokens));   // places lie behind each other
            _exchanges.Add(place == ChatPlace.Unknown ? new ChatExchange(i) : new ChatExchange(i) { Trail = trail, Absorbed = _absorbed, Characters = place.Characters, Pending = place.Pending, History = place.Tokens });
        }
        _checkpoints.Restart(isWhole ? trail.Then(record.History.AsSpan((int)trail.Length..)) : trail);
        return namesWeights;
    }

    /// <summary>Disposes the session.</summary>
    public void Dispose()
    {
        _disposed = true;
        _session.Dispose();
    }

    /// <summary>Where the chat stood before each turn, as far as that is a beginning of where it stands.</summary>
    /// <param name="fed">All tokens that were fed; none where they are too many to be saved.</param>
    private ChatPlace[] Places(int[] fed)
    {
        var places = new ChatPlace[_exchanges.Count];
        long most = fed.Length;
        for (int i = places.Length - 1; i >= 0; i--)
        {
            ChatExchange exchange = _exchanges[i];
            IReadOnlyList<PromptPart> absorbed = exchange.AbsorbedParts();
            places[i] = ChatPlace.Unknown;
            if (exchange.Trail is not { } trail || trail.Length > most || !trail.IsPrefixOf(fed) || PromptPart.After(absorbed, _absorbed) is null) continue;
            most = trail.Length;
            places[i] = new ChatPlace((int)most, exchange.Pending, PromptPart.Characters(absorbed));
        }
        return places;
    }

    private int FirstTurn => _messages.Count > 0 && _messages[0].Role == "system" ? 1 : 0;

    private void CheckSilent()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_talking) throw new InvalidOperationException("An answer is being given; read it to its end or dispose its enumerator first.");
    }

    /// <param name="userText">What the user says in the turn's place; null for what the user said there.</param>
    /// <param name="turn">Which of the user's turns it becomes.</param>
    /// <param name="cancel">See <see cref="Say"/>.</param>
    private async IAsyncEnumerable<string> Converse(string? userText, int turn, [EnumeratorCancellation] CancellationToken cancel)
    {
        CheckSilent();
        _talking = true;
        ChatMessage[] old = [];
        ChatExchange[] replaced = [];
        List<PromptPart> parts = [];
        var answer = new StringBuilder();
        bool begun = false;
        try
        {
            if (turn < _exchanges.Count)
            {
                old = [.. _messages[_exchanges[turn].Messages..]];
                replaced = [.. _exchanges[turn..]];
                userText ??= old[0].Content;
                TakeBack(turn);
            }
            Begin(userText!);   // only a turn that is there has no new text
            begun = true;
            int[] tokens = NextPrompt(out parts, cancel);
            await foreach (string piece in _generator.GenerateAsync(tokens, cancel).ConfigureAwait(false))
            {
                answer.Append(piece);
                yield return piece;
            }
        }
        finally
        {
            _talking = false;   // whatever a device says that has failed
            if (begun && !_disposed)
            {
                if (_generator.PromptAbsorbed) End(parts, answer.ToString());
                else Abandon(old, replaced);
            }
        }
    }

    /// <summary>Notes where the conversation stands, and adds the user's turn.</summary>
    private void Begin(string userText)
    {
        _generator.PromptAbsorbed = false;
        if (_behind.Length == 0) _checkpoints.Keep();   // the end of the turn before, unless it is kept
        _exchanges.Add(new ChatExchange(_messages.Count)
        {
            Trail = _checkpoints.Now.Then(_behind), Absorbed = _absorbed, Pending = _generator.Pending, History = _generator.History.Total + _behind.Length,
        });
        _messages.Add(new ChatMessage("user", userText));
    }

    /// <summary>The tokens to feed: what is new of the conversation, or all of it to a state that begins anew; of either what follows the longest kept state.</summary>
    private int[] NextPrompt(out List<PromptPart> parts, CancellationToken cancel)
    {
        try
        {
            parts = _renderer.Render(_messages, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            parts = [];
            return [0];   // any token: the generator sees the cancellation before it feeds one
        }
        List<PromptPart>? rest = PromptPart.After(_absorbed, parts);
        if (rest is null or { Count: 0 })
        {
            Rewind();
            rest = parts;
        }
        int[] tokens = _encoder.Encode(rest, _absorbed);
        int[] ahead = [.. _behind, .. _generator.Pending >= 0 ? [_generator.Pending] : Array.Empty<int>(), .. tokens];
        int skipped = _checkpoints.Approach(ahead);
        _generator.History.Append(ahead.AsSpan(0, skipped));
        _generator.Pending = -1;
        _behind = [];
        return ahead[skipped..];
    }

    /// <summary>Adds the answer; the state stays where it covers just that.</summary>
    private void End(List<PromptPart> parts, string answer)
    {
        _messages.Add(new ChatMessage("assistant", answer));
        if (_generator.TextIsWhole)
        {
            PromptPart.Append(parts, new PromptPart(answer, IsContent: true));
            _absorbed = parts;
            _checkpoints.Keep();
        }
        else
        {
            Return(_exchanges[^1]);
        }
    }

    /// <summary>Takes back a turn whose prompt was not absorbed; turns that it was to replace stay, to be fed with the next one.</summary>
    private void Abandon(ChatMessage[] old, ChatExchange[] replaced)
    {
        ChatExchange exchange = _exchanges[^1];
        _messages.RemoveRange(exchange.Messages, _messages.Count - exchange.Messages);
        _messages.AddRange(old);
        _exchanges.RemoveAt(_exchanges.Count - 1);
        _exchanges.AddRange(replaced);
        Return(exchange);   // last: where the state is lost, the text is not
    }

    /// <summary>Goes back to before a turn.</summary>
    private void TakeBack(int turn)
    {
        ChatExchange exchange = _exchanges[turn];
        Return(exchange);
        _messages.RemoveRange(exchange.Messages, _messages.Count - exchange.Messages);
        _exchanges.RemoveRange(turn, _exchanges.Count - turn);
    }

    private void Return(ChatExchange exchange)
    {
        if (exchange.Trail is not { } trail || _checkpoints.ReturnTo(trail) is not { } missing)
        {
            Rewind();
            return;
        }
        _absorbed = exchange.AbsorbedParts();
        bool isThere = missing.Length == 0;
        _behind = isThere ? [] : exchange.Pending >= 0 ? [.. missing, exchange.Pending] : missing;
        _generator.Pending = isThere ? exchange.Pending : -1;
        if (trail.IsKnown)
        {
            _generator.History.Truncate(0);
            _generator.History.Append(trail.From(0).AsSpan(0, (int)(trail.Length - missing.Length)));
        }
        else _generator.History.Truncate(exchange.History - missing.Length);
    }

    private void Rewind()
    {
        _session.Reset();
        _absorbed = [];
        Forget();
    }

    /// <summary>Feeds what the session, gone back to a kept state, is behind.</summary>
    private void CatchUp()
    {
        if (_behind.Length == 0) return;
        _session.Feed(_behind);
        _checkpoints.Fed(_behind);
        _generator.History.Append(_behind);
        _behind = [];
    }

    /// <summary>Forgets what was fed.</summary>
    private void Forget()
    {
        _behind = [];
        _generator.Pending = -1;
        _generator.History.Truncate(0);
        _checkpoints.Restart(TokenTrail.Empty);
    }
}
