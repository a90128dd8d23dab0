using System.Diagnostics;

namespace MambaRT.Serving;

/// <summary>
/// What a host runs at a time: a token of each of several answers, a chunk of one prompt, or the keeping of one's state; at once, or a time at a time.
/// One thread at a time; allocates nothing for a token.
/// </summary>
/// <param name="model">What it runs on.</param>
/// <param name="most">Answers at most.</param>
/// <param name="exact">Whether prompts are fed as lone ones are, to the bit.</param>
internal sealed class HostRun(Model model, int most, bool exact)
{
    private readonly Generation[] _answers = new Generation[most];
    private readonly Session[] _sessions = new Session[most];
    private readonly SequenceSpan[] _spans = new SequenceSpan[most];
    private readonly int[] _tokens = new int[most];
    private readonly TokenPick[] _picks = new TokenPick[most];
    private readonly SteppedRun _run = new(model);
    private readonly Queue<Generation> _toKeep = new();
    private Generation? _reading;   // whose chunk it is
    private Generation? _keeping;   // whose state is copied
    private Checkpoint? _start;     // where the one that reads begins
    private bool _begins;
    private int _count, _chunk, _copy;
    private bool _onDevice;
    private TimeSpan _spent;

    /// <summary>Tokens of prompts absorbed so far.</summary>
    public long PromptTokens { get; private set; }

    /// <summary>Tokens generated so far.</summary>
    public long GeneratedTokens { get; private set; }

    /// <summary>Whether it was begun and left in its midst.</summary>
    public bool IsBegun => _run.IsBegun;

    /// <summary>Whether nobody wants it any more.</summary>
    public bool IsCancelled
    {
        get
        {
            if (_keeping is not null) return false;
            if (_reading is not null) return _reading.Cancelled.IsCancellationRequested;
            for (int i = 0; i < _count; i++)
                if (!_answers[i].Cancelled.IsCancellationRequested) return false;
            return true;
        }
    }

    /// <summary>Makes it a token of each of some answers.</summary>
    public void Take(List<Generation> answers, int first, int count)
    {
        (_reading, _keeping) = (null, null);
        _count = count;
        _onDevice = true;
        for (int i = 0; i < count; i++)
        {
            Generation answer = _answers[i] = answers[first + i];
            _sessions[i] = answer.Session!;   // every active one has a state
            _tokens[i] = answer.Next;
            _onDevice &= answer.Pick is not null;
            _picks[i] = answer.Pick ?? default;
        }
    }

    /// <summary>Makes it the next chunk of a prompt; before the first, a kept state is looked for to begin at.</summary>
    public void Take(Generation reading)
    {
        (_reading, _count) = (reading, 0);
        try
        {
            _begins = !reading.HasStart;
            if (_begins)
            {
                using (model.Enter()) _start = reading.Checkpoints!.Find(reading.Prompt.Span, exact);   // every active one has some, and a state
                reading.StartAt(_start);
            }
        }
        catch (Exception e)
        {
            Fail(e);   // and what is left of the run does nothing
            return;
        }
        _chunk = reading.Chunk(model.ChunkTokens, exact).Length;
        _onDevice = !reading.NeedsNoToken(_chunk) && reading.Pick is not null;
        _picks[0] = reading.Pick ?? default;
    }

    /// <summary>Makes it the keeping of a state that is due, if there is one.</summary>
    public bool TakeKeep()
    {
        while (_toKeep.TryDequeue(out Generation? answer))
        {
            if (answer.IsOver) continue;   // its state was kept where it is
            (_keeping, _count) = (answer, 0);
            return true;
        }
        return false;
    }

    /// <summary>Does all of it.</summary>
    public void Whole()
    {
        long began = Stopwatch.GetTimestamp();
        ReadOnlySpan<float> logits = default;
        Span<int> picked = _tokens.AsSpan(0, Math.Max(1, _count));
        try
        {
            if (_reading is { } reading)
            {
                Session session = reading.Session!;   // every active one has a state
                if (_begins)
                    using (model.Enter()) session.TakeOver(_start);
                ReadOnlySpan<int> chunk = reading.Ahead(_chunk);
                if (_onDevice) picked[0] = session.Pick(chunk, _picks[0], reading.Cancelled);
                else logits = session.Feed(chunk, reading.Cancelled);
            }
            else if (_count > 1 && _onDevice) model.PickBatch(_sessions.AsSpan(0, _count), picked, _picks.AsSpan(0, _count), picked);
            else if (_count > 1) logits = model.FeedBatch(_sessions.AsSpan(0, _count), picked);
            else if (_count == 0) return;
            else if (_onDevice) picked[0] = _sessions[0].Pick(picked, _picks[0]);
            else logits = _sessions[0].Feed(picked);
        }
        catch (Exception e)
        {
            Fail(e);
            return;
        }
        Give(logits, picked, Stopwatch.GetElapsedTime(began));
        while (TakeKeep()) KeepWhole();
    }

    private void KeepWhole()
    {
        try
        {
            _keeping!.Checkpoints!.Keep();   // it was taken, and every active one has some
        }
        catch (Exception e)
        {
            Fail(e);
        }
        Forget();
    }

    /// <summary>Goes on with it for a time, by a unit of work at least.</summary>
    /// <returns>Whether it is over.</returns>
    public bool Step(TimeSpan time)
    {
        long began = Stopwatch.GetTimestamp();
        try
        {
            RunOutput output;
            using (model.Enter(endsRun: false))
            {
                if (model.UnderWay is { } other && other != _run && !other.AdvanceForOthers(time)) return false;
                if (!_run.IsBegun && !Begin()) return true;
                bool isOver = _run.Advance(time - Stopwatch.GetElapsedTime(began), out output);
                _spent += Stopwatch.GetElapsedTime(began);
                if (!isOver) return false;
                if (_keeping is { } keeping) Kept(keeping);
                else if (_reading is { } reading) reading.Session!.Advance(_chunk);   // every active one has a state, here and below
                else foreach (Session session in _sessions.AsSpan(0, _count)) session.Advance(1);
            }
            Give(output.Logits, output.Picked, _spent);
        }
        catch (Exception e)
        {
            Fail(e);
        }
        return true;
    }

    /// <summary>Gives it up, and ends those that it was for.</summary>
    public void GiveUp()
    {
        if (_run.IsBegun)
            using (model.Enter(endsRun: false)) _run.GiveUp();
        GiveBackCopy();
        _reading?.End(StopReason.Cancelled);
        foreach (Generation answer in _answers.AsSpan(0, _count)) answer.End(StopReason.Cancelled);
        Forget();
    }

    /// <summary>False where nothing is to be done.</summary>
    private bool Begin()
    {
        _spent = default;
        if (_keeping is { } keeping) return BeginCopy(keeping);
        ReadOnlySpan<int> tokens = _tokens.AsSpan(0, _count);
        int count = _count;
        if (_reading is { } reading)
        {
            Session session = reading.Session!;
            count = 1;
            tokens = reading.Ahead(_chunk);
            if (_begins) session.BeginAt(_start?.Trail.Length ?? 0);
            if (_begins) _run.Copy(_start?.Slot ?? 0, session.Slot, session.Position);
            _spans[0] = new SequenceSpan(session.Slot, session.Position, 0, _chunk, reading.NeedsNoToken(_chunk) ? OutputRows.None : OutputRows.Last);
        }
        else
            for (int i = 0; i < count; i++) _spans[i] = new SequenceSpan(_sessions[i].Slot, _sessions[i].Position, i, 1, OutputRows.Last);
        if (count == 0) return false;   // it has failed before it began
        model.CheckTokens(tokens);
        _run.Begin(tokens, _spans.AsSpan(0, count), _picks.AsSpan(0, _onDevice ? count : 0));
        return true;
    }

    private bool BeginCopy(Generation keeping)
    {
        if (keeping.Checkpoints!.Reserve() is not int slot)   // it is computed
        {
            Forget();
            return false;
        }
        _copy = slot;
        _run.Copy(keeping.Session!.Slot, slot, keeping.Session.Position);
        _run.Begin([], [], []);
        return true;
    }

    private void Kept(Generation keeping)
    {
        keeping.Checkpoints!.Keep(_copy);   // it is computed
        _copy = 0;
    }

    private void GiveBackCopy()
    {
        if (_copy > 0) model.Slots.Return(_copy);
        _copy = 0;
    }

    /// <summary>Hands on what came of it.</summary>
    private void Give(ReadOnlySpan<float> logits, ReadOnlySpan<int> picked, TimeSpan time)
    {
        if (_reading is { } reading)
        {
            bool needsNone = reading.NeedsNoToken(_chunk);
            reading.TookChunk(_chunk);
            PromptTokens += _chunk;
            if (!needsNone) Give(reading, logits, picked, 0);
            KeepIfDue(reading);
        }
        int vocabulary = model.Plan.VocabularySize;
        for (int i = 0; i < _count; i++)
        {
            _answers[i].TookToken(time);
            Give(_answers[i], _onDevice ? default : logits.Slice(i * vocabulary, vocabulary), picked, i);
            KeepIfDue(_answers[i]);
        }
        Forget();
    }

    private void Give(Generation answer, ReadOnlySpan<float> logits, ReadOnlySpan<int> picked, int at)
    {
        int had = answer.Stats.GeneratedTokens;
        if (_onDevice) answer.Picked(picked[at]);
        else answer.PickBy(logits);
        GeneratedTokens += answer.Stats.GeneratedTokens - had;
    }

    /// <summary>Notes that a state is to be kept, where one is due and may be.</summary>
    private void KeepIfDue(Generation answer)
    {
        if (!answer.IsOver && answer.Checkpoints!.IsDue && (!exact || answer.Checkpoints.IsExact)) _toKeep.Enqueue(answer);   // every active one has some
    }

    private void Fail(Exception e)
    {
        GiveBackCopy();
        if (e is OperationCanceledException) _reading?.End(StopReason.Cancelled);
        _keeping?.End(StopReason.None, e);
        _reading?.End(StopReason.None, e);   // nothing where it has ended
        foreach (Generation answer in _answers.AsSpan(0, _count)) answer.End(StopReason.None, e);
        Forget();
    }

    private void Forget()
    {
        (_reading, _keeping, _start) = (null, null, null);
        Array.Clear(_answers, 0, _count);
        Array.Clear(_sessions, 0, _count);
        _count = 0;
    }
}
