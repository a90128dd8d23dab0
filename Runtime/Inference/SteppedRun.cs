using System.Diagnostics;

namespace MambaRT;

/// <summary>
/// A run of a model that may be left in its midst and gone on with: copies of states, then a batch. Where a backend cannot leave a batch
/// (<see cref="ISlicedExecutable"/>) it is run at once. One thread at a time, as its model; all calls but the properties' are within <see cref="Model.Enter"/>.
/// </summary>
/// <remarks>What else is done with the model ends the run first, and what came of it is kept for its owner. Nothing is allocated once its arrays are as long as its batches.</remarks>
internal sealed class SteppedRun(Model model)
{
    private readonly List<(int From, int To, long Position)> _copies = [];
    private int[] _tokens = [];
    private SequenceSpan[] _spans = [];
    private TokenPick[] _picks = [];
    private int _tokenCount, _spanCount, _pickCount, _copied;
    private long _copiedBytes;
    private IExecutable? _executable;
    private RunTicket _ticket;
    private bool _isKept;
    private Exception? _failure;
    private float[] _keptLogits = [];
    private int[] _keptPicks = [];

    /// <summary>Whether it was begun and what comes of it was not given yet.</summary>
    public bool IsBegun { get; private set; }

    /// <summary>Adds the copying of a state to the run that is begun next.</summary>
    /// <param name="from">The slot, or 0 for the zero state.</param>
    /// <param name="to">The slot that takes it.</param>
    /// <param name="position">Tokens that it has absorbed.</param>
    public void Copy(int from, int to, long position) => _copies.Add((from, to, position));

    /// <summary>Begins; nothing of it is done yet.</summary>
    /// <param name="tokens">The batch's; none where states are copied and that is all.</param>
    /// <param name="spans">Its sequences.</param>
    /// <param name="picks">How a token is picked for each; empty to get logits.</param>
    public void Begin(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceSpan> spans, ReadOnlySpan<TokenPick> picks)
    {
        Debug.Assert(model.UnderWay is null && !IsBegun);
        Keep(tokens, ref _tokens, out _tokenCount);
        Keep(spans, ref _spans, out _spanCount);
        Keep(picks, ref _picks, out _pickCount);
        (_copied, _copiedBytes, _executable, _isKept, _failure) = (0, 0, null, false, null);
        IsBegun = true;
        model.UnderWay = this;
    }

    /// <summary>Goes on for a time, by a unit of work at least.</summary>
    /// <param name="time">How long.</param>
    /// <param name="output">What the run yielded where it is over, valid until the next use of the model.</param>
    /// <returns>Whether it is over.</returns>
    public bool Advance(TimeSpan time, out RunOutput output)
    {
        output = default;
        if (!_isKept)
        {
            try
            {
                if (!Work(time)) return false;
                output = End();
            }
            catch
            {
                GiveUp();
                throw;
            }
            IsBegun = false;
            return true;
        }
        IsBegun = _isKept = false;
        if (_failure is { } failure) throw failure;
        output = new RunOutput(_keptLogits, _keptPicks);
        return true;
    }

    /// <summary>Goes on for a time for somebody else who needs the model, and keeps what comes of it.</summary>
    /// <returns>Whether it is over.</returns>
    public bool AdvanceForOthers(TimeSpan time)
    {
        try
        {
            if (!Work(time)) return false;
            RunOutput output = End();
            (_keptLogits, _keptPicks) = (output.Logits.ToArray(), output.Picked.ToArray());
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            GiveUp();
            _failure = e;
        }
        IsBegun = _isKept = true;
        return true;
    }

    /// <summary>Gives it up: slots that it was in have no position then.</summary>
    public void GiveUp()
    {
        if (!_isKept) (_executable as ISlicedExecutable)?.GiveUp();
        Leave();
        IsBegun = _isKept = false;
    }

    private bool Work(TimeSpan time)
    {
        long began = Stopwatch.GetTimestamp();
        while (_copied < _copies.Count)
        {
            (int from, int to, long position) = _copies[_copied];
            if (model.Loaded.CopyPart(from, to, position, ref _copiedBytes)) (_copied, _copiedBytes) = (_copied + 1, 0);
            if (Stopwatch.GetElapsedTime(began) >= time) return _copied == _copies.Count && _tokenCount == 0;
        }
        if (_tokenCount == 0) return true;
        if (_executable is null && !Start()) return true;
        return ((ISlicedExecutable)_executable!).Advance(time - Stopwatch.GetElapsedTime(began));   // Start made it
    }

    /// <summary>Starts the batch; false where it was run at once.</summary>
    private bool Start()
    {
        int outputs = 0;
        foreach (SequenceSpan span in Spans) outputs += span.OutputCount;
        IExecutable executable = model.Executable(new BatchShape(_tokenCount, _spanCount, Math.Max(1, outputs)));
        var batch = new Batch { Tokens = _tokens.AsSpan(0, _tokenCount), Sequences = Spans, Picks = _picks.AsSpan(0, _pickCount), WantsLogits = _pickCount == 0 };
        bool slices = executable is ISlicedExecutable;
        _ticket = executable is ISlicedExecutable sliced ? sliced.Begin(batch) : executable.Start(batch);
        _executable = executable;
        return slices;
    }

    private RunOutput End()
    {
        RunOutput output = _tokenCount == 0 ? default : _executable!.Await(_ticket);   // Start made it
        Leave();
        return _tokenCount == 0 ? output : model.Proven(output, Spans);
    }

    private void Leave()
    {
        if (model.UnderWay == this) model.UnderWay = null;
        _executable = null;
        _copies.Clear();
    }

    private ReadOnlySpan<SequenceSpan> Spans => _spans.AsSpan(0, _spanCount);

    private static void Keep<T>(ReadOnlySpan<T> items, ref T[] kept, out int count)
    {
        count = items.Length;
        if (kept.Length < count) kept = new T[Math.Max(count, 2 * kept.Length)];
        items.CopyTo(kept);
    }
}
