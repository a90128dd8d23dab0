using System.Diagnostics;

namespace MambaRT;

/// <summary>A prompt and the tokens generated after it, computed by a session a time at a time (<see cref="Session.StepFor"/>). One thread at a time.</summary>
internal sealed class SessionSteps
{
    private readonly Session _session;
    private readonly TextPicker _picker;
    private readonly TokenHistory _history = new();
    private readonly List<int> _generated = [];
    private readonly int[] _token = new int[1];
    private readonly SlicedFeed _feed;
    private readonly int _most;
    private bool _isOver;

    /// <summary>Begins; only within <see cref="Model.Enter"/>.</summary>
    public SessionSteps(Session session, int[] prompt, SamplerChain sampler, int most)
    {
        _session = session;
        _picker = new TextPicker(session.Model.Tokenizer, sampler, ignoreEnds: false);
        _picker.BeginText();
        _most = most;
        _history.Append(prompt);
        _feed = new SlicedFeed(session, prompt, goesOn: true);
    }

    /// <summary>Tokens that were generated.</summary>
    public IReadOnlyList<int> Generated => _generated;

    /// <summary>Goes on for a time.</summary>
    public StepProgress StepFor(TimeSpan time)
    {
        if (_isOver) return default;
        long began = Stopwatch.GetTimestamp();
        int prompt = 0, generated = _generated.Count;
        do
        {
            int fed = _feed.Fed;
            bool isPrompt = _generated.Count == 0, isFed = Advance(time - Stopwatch.GetElapsedTime(began), out ReadOnlySpan<float> logits);
            if (isPrompt) prompt += _feed.Fed - fed;
            if (!isFed) break;
            Take(logits);
        }
        while (!_isOver && Stopwatch.GetElapsedTime(began) < time);
        return new StepProgress(prompt, _generated.Count - generated, _isOver ? 1 : 0, !_isOver);
    }

    /// <summary>Gives it up.</summary>
    public void Cancel()
    {
        if (_isOver) return;
        _isOver = true;
        _feed.Dispose();
    }

    private bool Advance(TimeSpan time, out ReadOnlySpan<float> logits)
    {
        try
        {
            return _feed.Advance(time, out logits);
        }
        catch when (_feed.IsOver)   // else another thread was inside the model, and nothing has happened
        {
            _isOver = true;
            throw;
        }
    }

    private void Take(ReadOnlySpan<float> logits)
    {
        int token = -1;
        _isOver = true;   // what a sampler that fails leaves
        try
        {
            if (_generated.Count < _most) token = _picker.Next(logits, _history.Tokens, _session.Position);
            if (token < 0 || _session.Model.Tokenizer.IsEndOfGeneration(token)) return;
            _generated.Add(token);
            _token[0] = token;
            _history.Append(_token);
            _isOver = _generated.Count == _most;
        }
        finally
        {
            if (_isOver) _feed.End();
            else _feed.GoOn(_token);
        }
    }
}
