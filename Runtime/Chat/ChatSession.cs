using System.Runtime.CompilerServices;
using System.Text;

namespace MambaRT.Chat;

/// <summary>
/// A conversation with a model: keeps the turns, feeds only what is new of each, and can go back, fork, and be saved. One thread at a time;
/// disposing, the model too, is for any thread and any time: an answer that is being given then ends with an <see cref="ObjectDisposedException"/>.
/// </summary>
/// <remarks>
/// The state has absorbed the conversation as the template renders it up to the answer, and the answer; the next turn feeds what the template
/// writes after that. Where a template changes what came before (it trims answers, say), everything is fed anew. Where the state has
/// absorbed more than the answer shows (a stop string ended it, or a control token was in it), the state goes back to before the exchange, and
/// the next turn feeds the exchange as it reads; that costs a prompt of that length, and no second copy of the state for each answer.
/// What the user says is never parsed for control tokens.
/// </remarks>
public sealed class ChatSession : IDisposable
{
    /// <summary>How many exchanges keep a state to go back to.</summary>
    private const int MaxStates = 16;

    private readonly Session _session;
    private readonly ChatTemplate _template;
    private readonly SamplerChain _sampler;
    private readonly GenerationOptions _options;
    private readonly TextGenerator _generator;
    private readonly ChatEncoder _encoder;
    private readonly ChatRenderer _renderer;
    private readonly List<ChatMessage> _messages = [];
    private readonly List<ChatExchange> _exchanges = [];
    private IReadOnlyList<PromptPart> _absorbed = [];
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
        _generator = new TextGenerator(session, sampler, _options);
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
        _generator = new TextGenerator(_session, _sampler, _options) { Pending = other._generator.Pending };
        _generator.History.CopyFrom(other._generator.History);
        _encoder = other._encoder;
        _renderer = other._renderer;
        _messages = [.. other._messages];
        _absorbed = other._absorbed;
        for (int i = 0; i < other._exchanges.Count; i++)
        {
            ChatExchange exchange = other._exchanges[i];
            _exchanges.Add(i == other._exchanges.Count - 1 ? exchange.Fork() : new ChatExchange(exchange.Messages));
        }
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
        return new AwaitedPieces(Converse(ChatEncoder.WellFormed(userText), cancel));
    }

    /// <summary>Answers the last turn again, by the random numbers that follow. Cancelled while the prompt is fed, it leaves the old answer.</summary>
    /// <inheritdoc cref="Say" path="/returns"/>
    /// <exception cref="InvalidOperationException">There is no answer, or (when reading) another has not ended.</exception>
    public IAsyncEnumerable<string> Retry(CancellationToken cancel = default)
    {
        if (_exchanges.Count == 0) throw new InvalidOperationException("There is no answer to give again; say something first.");
        return new AwaitedPieces(Converse(null, cancel));
    }

    /// <summary>Takes back the last turn of the user with its answer, and the state with it.</summary>
    /// <returns>False when there was none.</returns>
    public bool Undo()
    {
        CheckSilent();
        if (_exchanges.Count == 0) return false;
        TakeBack();
        return true;
    }

    /// <summary>Forgets all turns but the system's; state, samplers and random numbers begin anew.</summary>
    public void Reset()
    {
        CheckSilent();
        Rewind();
        Forget();
        _messages.RemoveRange(FirstTurn, _messages.Count - FirstTurn);
        _sampler.Reset();
    }

    /// <summary>A conversation with the same past and a separate future. Undoing more than one turn there feeds the rest anew.</summary>
    /// <param name="sampler">What picks its tokens; null for a copy of this one's, with the same random numbers to come.</param>
    public ChatSession Fork(SamplerChain? sampler = null)
    {
        CheckSilent();
        return new ChatSession(this, sampler ?? _sampler.Clone());
    }

    /// <summary>Saves turns and state in one file, for <see cref="Load"/>. Options and random numbers are not part of it.</summary>
    /// <param name="path">The file; a saved state of that name is replaced once the new one is complete.</param>
    /// <exception cref="IOException">The file cannot be written, or one of another kind has its name.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        CheckSilent();
        _generator.Settle();
        ReadOnlySpan<int> history = _generator.History.Tokens;
        var record = new ChatRecord([.. _messages], [.. _absorbed], history[Math.Max(0, history.Length - ChatRecord.MaxHistory)..].ToArray());
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
        _messages.Clear();
        _messages.AddRange(record.Messages);
        _absorbed = record.Absorbed;
        _generator.History.Append(record.History);
        for (int i = FirstTurn; i < _messages.Count; i += 2) _exchanges.Add(new ChatExchange(i));
        return namesWeights;
    }

    /// <summary>Disposes the session and the states kept to go back to.</summary>
    public void Dispose()
    {
        _disposed = true;
        _session.Dispose();
        if (!_talking) DropStates();   // else the answer, which ends now, does it
    }

    private int FirstTurn => _messages.Count > 0 && _messages[0].Role == "system" ? 1 : 0;

    private void CheckSilent()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_talking) throw new InvalidOperationException("An answer is being given; read it to its end or dispose its enumerator first.");
    }

    private async IAsyncEnumerable<string> Converse(string? userText, [EnumeratorCancellation] CancellationToken cancel)
    {
        CheckSilent();
        _talking = true;
        ChatMessage[] old = [];
        List<PromptPart> parts = [];
        var answer = new StringBuilder();
        bool begun = false;
        try
        {
            if (userText is null)
            {
                old = [.. _messages[_exchanges[^1].Messages..]];
                userText = old[0].Content;
                TakeBack();
            }
            Begin(userText);
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
            if (_disposed) DropStates();
            else if (begun && _generator.PromptAbsorbed) End(parts, answer.ToString());
            else if (begun) Abandon(old);
            _talking = false;
        }
    }

    /// <summary>Notes where the conversation stands, and adds the user's turn.</summary>
    private void Begin(string userText)
    {
        _generator.PromptAbsorbed = false;
        var exchange = new ChatExchange(_messages.Count);
        _exchanges.Add(StateToReturnTo() is Session state ? exchange.With(state, _absorbed, _generator.Pending, _generator.History.Total) : exchange);
        _messages.Add(new ChatMessage("user", userText));
    }

    /// <summary>A copy of the state; where the budget has no room the oldest copies go first, and without any, going back feeds the conversation anew.</summary>
    private Session? StateToReturnTo()
    {
        foreach (ChatExchange oldest in _exchanges)
        {
            if (_session.Model.HasRoom) break;
            oldest.Dispose();
        }
        return _session.TryFork();
    }

    /// <summary>The tokens to feed: what is new of the conversation, or all of it to a state that begins anew.</summary>
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
        return _encoder.Encode(rest, _absorbed);
    }

    /// <summary>Adds the answer; the state stays where it covers just that.</summary>
    private void End(List<PromptPart> parts, string answer)
    {
        _messages.Add(new ChatMessage("assistant", answer));
        if (_generator.TextIsWhole)
        {
            PromptPart.Append(parts, new PromptPart(answer, IsContent: true));
            _absorbed = parts;
        }
        else
        {
            Return(_exchanges[^1]);
        }
        if (_exchanges.Count > MaxStates) _exchanges[^(MaxStates + 1)].Dispose();
    }

    /// <summary>Takes back a turn whose prompt was not absorbed; an answer that was to be given again stays, to be fed with the next turn.</summary>
    private void Abandon(ChatMessage[] old)
    {
        Return(_exchanges[^1]);
        _messages.RemoveRange(_exchanges[^1].Messages, _messages.Count - _exchanges[^1].Messages);
        _messages.AddRange(old);
        if (old.Length > 0) return;
        _exchanges[^1].Dispose();
        _exchanges.RemoveAt(_exchanges.Count - 1);
    }

    private void TakeBack()
    {
        ChatExchange last = _exchanges[^1];
        Return(last);
        _messages.RemoveRange(last.Messages, _messages.Count - last.Messages);
        _exchanges.RemoveAt(_exchanges.Count - 1);
        last.Dispose();
    }

    private void Return(ChatExchange exchange)
    {
        if (exchange.State is null)
        {
            Rewind();
            return;
        }
        _session.CopyFrom(exchange.State);
        _absorbed = exchange.Absorbed;
        _generator.Pending = exchange.Pending;
        _generator.History.Truncate(exchange.History);
    }

    private void Rewind()
    {
        _session.Reset();
        _absorbed = [];
        _generator.Pending = -1;
        _generator.History.Truncate(0);
    }

    private void DropStates()
    {
        foreach (ChatExchange exchange in _exchanges) exchange.Dispose();
        _exchanges.Clear();
    }

    private void Forget()
    {
        DropStates();
        _generator.Pending = -1;
        _generator.History.Truncate(0);
    }
}
