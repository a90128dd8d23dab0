using System.Diagnostics;

namespace MambaRT.Serving;

/// <summary>What a host runs at a time: a token of each of several answers, or a chunk of one prompt; at once, or a time at a time. One thread at a time; allocates nothing for a token.</summary>
/// <param name="model">What it runs on.</param>
/// <param name="most">Answers at most.</param>
internal sealed class HostRun(Model model, int most)
{
    private readonly Generation[] _answers = new Generation[most];
    private readonly Session[] _sessions = new Session[most];
    private readonly SequenceSpan[] _spans = new SequenceSpan[most];
    private readonly int[] _tokens = new int[most];
    private readonly TokenPick[] _picks = new TokenPick[most];
    private readonly SteppedRun _run = new(model);
    private Generation? _reading;   // whose chunk it is
    private int _count, _chunk;
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
            if (_reading is not null) return _reading.Cancelled.IsCancellationRequested;
            for (int i = 0; i < _count; i++)
                if (!_answers[i].Cancelled.IsCancellationRequested) return false;
            return true;
        }
    }

    /// <summary>Makes it a token of each of some answers.</summary>
    public void Take(List<Generation> answers, int first, int count)
    {
        _reading = null;
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

    /// <summary>Makes it the next chunk of a prompt.</summary>
    public void Take(Generation reading, int chunk)
    {
        (_reading, _count, _chunk) = (reading, 0, chunk);
        _onDevice = !reading.NeedsNoToken(chunk) && reading.Pick is not null;
        _picks[0] = reading.Pick ?? default;
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
                ReadOnlySpan<int> chunk = reading.Chunk(_chunk);
                if (_onDevice) picked[0] = reading.Session!.Pick(chunk, _picks[0], reading.Cancelled);   // every active one has a state, here and below
                else logits = reading.Session!.Feed(chunk, reading.Cancelled);
            }
            else if (_count > 1 && _onDevice) model.PickBatch(_sessions.AsSpan(0, _count), picked, _picks.AsSpan(0, _count), picked);
            else if (_count > 1) logits = model.FeedBatch(_sessions.AsSpan(0, _count), picked);
            else if (_onDevice) picked[0] = _sessions[0].Pick(picked, _picks[0]);
            else logits = _sessions[0].Feed(picked);
        }
        catch (Exception e)
        {
            Fail(e);
            return;
        }
        Give(logits, picked, Stopwatch.GetElapsedTime(began));
    }

    /// <summary>Goes on with it for a time, by a unit of work at least.</summary>
    /// <returns>Whether it is over.</returns>
    public bool Step(TimeSpan time)
    {
        long began = Stopwatch.GetTimestamp();
        try
        {
            using Model.Use use = model.Enter(endsRun: false);
            if (model.UnderWay is { } other && other != _run && !other.AdvanceForOthers(time)) return false;
            if (!_run.IsBegun) Begin();
            bool isOver = _run.Advance(time - Stopwatch.GetElapsedTime(began), out RunOutput output);
            _spent += Stopwatch.GetElapsedTime(began);
            if (!isOver) return false;
            if (_reading is { } reading) reading.Session!.Advance(_chunk);
            else foreach (Session session in _sessions.AsSpan(0, _count)) session.Advance(1);
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
        _reading?.End(StopReason.Cancelled);
        foreach (Generation answer in _answers.AsSpan(0, _count)) answer.End(StopReason.Cancelled);
        Forget();
    }

    private void Begin()
    {
        _spent = default;
        ReadOnlySpan<int> tokens = _tokens.AsSpan(0, _count);
        int count = _count;
        if (_reading is { } reading)
        {
            count = 1;
            tokens = reading.Chunk(_chunk);
            _spans[0] = new SequenceSpan(reading.Session!.Slot, reading.Session.Position, 0, _chunk, reading.NeedsNoToken(_chunk) ? OutputRows.None : OutputRows.Last);
        }
        else
            for (int i = 0; i < count; i++) _spans[i] = new SequenceSpan(_sessions[i].Slot, _sessions[i].Position, i, 1, OutputRows.Last);
        model.CheckTokens(tokens);
        _run.Begin(tokens, _spans.AsSpan(0, count), _picks.AsSpan(0, _onDevice ? count : 0));
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
        }
        int vocabulary = model.Plan.VocabularySize;
        for (int i = 0; i < _count; i++)
        {
            _answers[i].TookToken(time);
            Give(_answers[i], _onDevice ? default : logits.Slice(i * vocabulary, vocabulary), picked, i);
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

    private void Fail(Exception e)
    {
        if (e is OperationCanceledException) _reading?.End(StopReason.Cancelled);
        _reading?.End(StopReason.None, e);   // nothing where it has ended
        foreach (Generation answer in _answers.AsSpan(0, _count)) answer.End(StopReason.None, e);
        Forget();
    }

    private void Forget()
    {
        _reading = null;
        Array.Clear(_answers, 0, _count);
        Array.Clear(_sessions, 0, _count);
        _count = 0;
    }
}
