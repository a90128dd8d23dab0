namespace MambaRT.Devices;

/// <summary>Runs the first piece of a plan, hands its values to the second, and returns when that was started.</summary>
internal sealed class SplitExecutable : IExecutable
{
    private readonly SplitModel _model;
    private readonly IExecutable _first, _last;
    private readonly int[] _tokens;
    private readonly TokenPick[] _picks;

    // Of the last two runs, by their number.
    private readonly int[][] _picked;
    private readonly int[] _pickedCounts = new int[2];
    private readonly Exception?[] _failures = new Exception?[2];

    // Of the run that is in flight, and of the one that is started meanwhile: sequences that are run, and their places in the batch that was given.
    private SequenceSpan[] _spans, _nextSpans;
    private int[] _places, _nextPlaces;
    private RunTicket _run;
    private int _sequences, _given;
    private bool _disposed;

    public SplitExecutable(SplitModel model, IExecutable first, IExecutable last, BatchShape shape)
    {
        (_model, _first, _last, Shape) = (model, first, last, shape);
        _tokens = new int[shape.Tokens];
        (_spans, _nextSpans) = (new SequenceSpan[shape.Sequences], new SequenceSpan[shape.Sequences]);
        (_places, _nextPlaces) = (new int[shape.Sequences], new int[shape.Sequences]);
        _picks = new TokenPick[shape.Sequences];
        _picked = [new int[shape.Sequences], new int[shape.Sequences]];
    }

    public BatchShape Shape { get; }

    public RunTicket Start(scoped Batch batch, CancellationToken cancel = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancel.ThrowIfCancellationRequested();
        if (batch.Tokens.Contains(Batch.LastPick)) _model.Running?.Finish();   // the first piece looks the token up
        _model.Table.Check(batch, Shape, _model.Plan);
        int sequences = Take(batch, out int rows);
        ReadOnlySpan<int> tokens = _tokens.AsSpan(0, rows);
        ReadOnlySpan<SequenceSpan> spans = _nextSpans.AsSpan(0, sequences);
        if (sequences > 0)
        {
            try
            {
                RunTicket begun = _first.Start(new Batch { Tokens = tokens, Sequences = spans, Carried = batch.Carried, WantsLogits = false }, cancel);
                ReadOnlySpan<float> carried = _first.Await(begun).Carried;
                _model.Running?.Finish();   // it went on meanwhile
                var last = new Batch { Tokens = tokens, Sequences = spans, Picks = batch.Picks.IsEmpty ? [] : _picks.AsSpan(0, sequences), Carried = carried, WantsLogits = batch.WantsLogits };
                _run = _last.Start(last, cancel);
            }
            catch
            {
                _model.Table.Lose(batch.Sequences);
                throw;
            }
        }
        _model.Running?.Finish();
        (_sequences, _given) = (sequences, batch.Picks.Length);
        (_spans, _nextSpans, _places, _nextPlaces) = (_nextSpans, _spans, _nextPlaces, _places);
        _model.Table.Advance(batch);
        _model.Running = this;
        return new RunTicket(++_model.Runs);
    }

    public RunOutput Await(RunTicket run)
    {
        if (_model.Running == this && run.Number == _model.Runs) return Take();
        int at = (int)(run.Number & 1);
        return _failures[at] is { } failure ? throw failure : new RunOutput(default, _picked[at].AsSpan(0, _pickedCounts[at]));
    }

    /// <summary>Waits for the run in flight; what it picked, or what went wrong, is kept for who awaits it.</summary>
    public void Finish()
    {
        int at = (int)(_model.Runs & 1);
        (_failures[at], _pickedCounts[at]) = (null, 0);
        try
        {
            _pickedCounts[at] = Take().Picked.Length;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _failures[at] = e;
        }
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (_model.Running == this) Finish();
        _first.Dispose();
        _last.Dispose();
    }

    /// <summary>Waits for the second device, and puts what was picked in its place.</summary>
    private RunOutput Take()
    {
        _model.Running = null;
        Span<int> picked = _picked[_model.Runs & 1].AsSpan(0, _given);
        picked.Fill(-1);
        if (_sequences == 0) return new RunOutput(default, picked) { IsFinite = true };
        try
        {
            RunOutput output = _last.Await(_run);
            for (int i = 0; i < output.Picked.Length; i++)
            {
                picked[_places[i]] = output.Picked[i];
                if (output.Picked[i] >= 0) _model.Table.SetLastPick(_spans[i].Slot, output.Picked[i], _model.Ends.Contains(output.Picked[i]));
            }
            return new RunOutput(output.Logits, picked) { IsFinite = output.IsFinite };
        }
        catch
        {
            _model.Table.Lose(_spans.AsSpan(0, _sequences));
            throw;
        }
    }

    /// <summary>Takes over a batch, with what was picked in the place of <see cref="Batch.LastPick"/>, and without the sequences whose text has ended so.</summary>
    private int Take(scoped in Batch batch, out int rows)
    {
        int sequences = rows = 0;
        for (int i = 0; i < batch.Sequences.Length; i++)
        {
            SequenceSpan given = batch.Sequences[i];
            batch.Tokens.Slice(given.Start, given.Count).CopyTo(_tokens.AsSpan(rows));
            if (_model.Table.Resolve(given, ref _tokens[rows]).Slot == 0) continue;
            _nextSpans[sequences] = given with { Start = rows };
            if (!batch.Picks.IsEmpty) _picks[sequences] = batch.Picks[i];
            _nextPlaces[sequences++] = i;
            rows += given.Count;
        }
        return sequences;
    }
}
