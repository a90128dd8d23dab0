namespace MambaRT.Devices;

/// <summary>Runs the first piece of a plan, hands its values to the second, and returns when that was started.</summary>
internal sealed class SplitExecutable : IExecutable
{
    private readonly SplitModel _model;
    private readonly IExecutable _first, _last;
    private readonly int[] _tokens;
    private readonly SequenceSpan[] _spans;

    // Of the last two runs, by their number.
    private readonly int[][] _picked;
    private readonly int[] _pickedCounts = new int[2];
    private readonly Exception?[] _failures = new Exception?[2];

    // Of the run that is in flight.
    private RunTicket _run;
    private int _sequences;
    private bool _disposed;

    public SplitExecutable(SplitModel model, IExecutable first, IExecutable last, BatchShape shape)
    {
        (_model, _first, _last, Shape) = (model, first, last, shape);
        _tokens = new int[shape.Tokens];
        _spans = new SequenceSpan[shape.Sequences];
        _picked = [new int[shape.Sequences], new int[shape.Sequences]];
    }

    public BatchShape Shape { get; }

    public RunTicket Start(scoped Batch batch, CancellationToken cancel = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancel.ThrowIfCancellationRequested();
        if (batch.Tokens.Contains(Batch.LastPick)) _model.Running?.Finish();   // the first piece looks the token up
        _model.Table.Check(batch, Shape, _model.Plan);
        ReadOnlySpan<int> tokens = Resolve(batch);
        try
        {
            RunTicket begun = _first.Start(new Batch { Tokens = tokens, Sequences = batch.Sequences, Carried = batch.Carried, WantsLogits = false }, cancel);
            ReadOnlySpan<float> carried = _first.Await(begun).Carried;
            _model.Running?.Finish();   // it went on meanwhile
            _run = _last.Start(new Batch { Tokens = tokens, Sequences = batch.Sequences, Picks = batch.Picks, Carried = carried, WantsLogits = batch.WantsLogits }, cancel);
        }
        catch
        {
            _model.Table.Lose(batch.Sequences);
            throw;
        }
        batch.Sequences.CopyTo(_spans);
        _sequences = batch.Sequences.Length;
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
            ReadOnlySpan<int> picked = Take().Picked;
            picked.CopyTo(_picked[at]);
            _pickedCounts[at] = picked.Length;
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

    private RunOutput Take()
    {
        _model.Running = null;
        try
        {
            RunOutput output = _last.Await(_run);
            for (int i = 0; i < output.Picked.Length; i++)
                if (output.Picked[i] >= 0) _model.Table.SetLastPick(_spans[i].Slot, output.Picked[i]);
            return output;
        }
        catch
        {
            _model.Table.Lose(_spans.AsSpan(0, _sequences));
            throw;
        }
    }

    /// <summary>The tokens, with what was picked in the place of <see cref="Batch.LastPick"/>.</summary>
    private ReadOnlySpan<int> Resolve(scoped in Batch batch)
    {
        Span<int> tokens = _tokens.AsSpan(0, batch.Tokens.Length);
        batch.Tokens.CopyTo(tokens);
        foreach (SequenceSpan span in batch.Sequences)
            if (tokens[span.Start] == Batch.LastPick) tokens[span.Start] = _model.Table.LastPick(span.Slot);
        return tokens;
    }
}
