using System.Diagnostics;

namespace MambaRT.Backends.Cpu;

/// <summary>A plan compiled to steps over the model's arena. A run is over when it was started.</summary>
internal sealed unsafe class CpuExecutable : ITracedExecutable, ISlicedExecutable
{
    private readonly CpuModel _model;
    private readonly HostPicks _picks;
    private readonly float[] _carried;
    private CpuCompiler? _compiled;
    private Step[] _steps = [];
    private int _outputs;
    private bool _disposed;

    // Of the run that is advanced for a time.
    private SlicedRun? _sliced;
    private readonly TokenPick[] _slicedPicks;
    private int _slicedPickCount;
    private bool _slicedWantsLogits;

    public CpuExecutable(CpuModel model, BatchShape shape)
    {
        _model = model;
        Shape = shape;
        Rows = new BatchRows(shape);
        _picks = new HostPicks(shape.Sequences, model.NeverPicked, model.EndTokens);
        _slicedPicks = new TokenPick[shape.Sequences];
        _carried = new float[checked(model.Plan.CarriedOutWidth * shape.Tokens)];
    }

    public BatchShape Shape { get; }

    /// <summary>The present batch, read by the steps.</summary>
    public BatchRows Rows { get; }

    /// <summary>Whether all steps of the run that is advanced for a time are done, and tokens are picked.</summary>
    public bool IsPicking { get; private set; }

    /// <summary>Bytes of activations that it needs of the model's arena.</summary>
    public long ArenaBytes => (long)_model.Layout.FloatsPerRow * Capacity * sizeof(float);

    /// <summary>Bytes of its own.</summary>
    public long ScratchBytes => _compiled?.ScratchBytes ?? 0;

    private int Capacity => Math.Max(Shape.Tokens, Shape.Outputs);

    /// <summary>Makes the steps over an arena and logits, to be taken over by <see cref="Use"/>.</summary>
    public CpuCompiler StepsOver(float* arena, float* logits) => new(_model, Rows, arena, logits, Capacity);

    /// <summary>Takes over steps in the place of those it had.</summary>
    public void Use(CpuCompiler compiled)
    {
        _compiled?.Dispose();
        _compiled = compiled;
        _steps = compiled.Steps;
    }

    public RunTicket Start(scoped Batch batch, CancellationToken cancel = default) => Run(batch, null, cancel);

    public RunTicket StartTraced(scoped Batch batch, IOpObserver observer, CancellationToken cancel = default) => Run(batch, observer, cancel);

    private RunTicket Run(scoped in Batch batch, IOpObserver? observer, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancel.ThrowIfCancellationRequested();
        Take(batch);
        try
        {
            if (observer is null) _model.Team.Run(_steps, cancel);
            else foreach (OpSteps part in _compiled!.Parts) part.Run(_model.Team, _steps, Rows, observer, cancel);   // compiled when it was made
            return Finish(batch);
        }
        catch
        {
            _model.Table.Lose(batch.Sequences);
            throw;
        }
    }

    public void TouchMemory() => _model.TouchArena();

    public RunTicket Begin(scoped Batch batch)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Take(batch);
        batch.Picks.CopyTo(_slicedPicks);
        _slicedPickCount = batch.Picks.Length;
        _slicedWantsLogits = batch.WantsLogits;
        IsPicking = false;
        _model.Table.Lose(batch.Sequences);
        _sliced ??= new SlicedRun(_model.Team);
        _sliced.Begin(_steps, batch.Tokens.Length);
        _model.UnderWay = this;
        return new RunTicket(_model.Runs + 1);
    }

    public bool Advance(TimeSpan time)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_model.UnderWay != this) throw new InvalidOperationException("No run was begun that could be advanced; begin one.");
        try
        {
            _model.EnsureReadable();
            long began = Stopwatch.GetTimestamp();
            if (!IsPicking && !_sliced!.Advance(time)) return false;   // a run was begun, so it is there
            if (!PickFor(time - Stopwatch.GetElapsedTime(began))) return false;
        }
        catch
        {
            GiveUp();
            throw;
        }
        _model.UnderWay = null;
        return true;
    }

    /// <summary>Picks after a run that is advanced for a time; a pick from a large vocabulary takes as long as a unit.</summary>
    /// <returns>Whether all is done.</returns>
    private bool PickFor(TimeSpan time)
    {
        long began = Stopwatch.GetTimestamp(), run = _model.Runs + 1;
        var batch = new Batch { Tokens = Rows.Ids, Sequences = Rows.Spans, Picks = _slicedPicks.AsSpan(0, _slicedPickCount), WantsLogits = _slicedWantsLogits };
        if (!IsPicking)
        {
            IsPicking = true;
            _model.Table.Advance(batch);
            _picks.Begin(run, batch);
            if (time <= TimeSpan.Zero && !_picks.IsOver(batch)) return false;
        }
        while (!_picks.IsOver(batch))
        {
            _picks.PickNext(run, batch, _model.LogitRows(Rows.Outputs), _model.Table);
            if (Stopwatch.GetElapsedTime(began) >= time) break;
        }
        if (!_picks.IsOver(batch)) return false;
        EndRun(batch);
        return true;
    }

    public void GiveUp()
    {
        if (_model.UnderWay != this) return;
        _model.UnderWay = null;
        _model.Table.Lose(Rows.Spans);
    }

    /// <summary>Checks a batch and makes it the present one.</summary>
    private void Take(scoped in Batch batch)
    {
        _model.EnsureNoneUnderWay();
        int outputs = _model.Table.Check(batch, Shape, _model.Plan);
        _model.EnsureReadable();
        Rows.Set(batch, outputs, _model.Table);
        TakeCarried(batch.Carried);
    }

    /// <summary>Notes that the batch was run, and picks.</summary>
    private RunTicket Finish(scoped in Batch batch)
    {
        _model.Table.Advance(batch);
        _picks.Pick(_model.Runs + 1, batch, _model.LogitRows(Rows.Outputs), _model.Table);
        return EndRun(batch);
    }

    private RunTicket EndRun(scoped in Batch batch)
    {
        _outputs = batch.WantsLogits ? Rows.Outputs : 0;
        return new RunTicket(++_model.Runs);
    }

    public RunOutput Await(RunTicket run) => new(_model.LogitRows(_outputs), _picks.Of(run), HandOn()) { IsFinite = _outputs > 0 ? null : _picks.AreFinite(run) };

    public void Dispose()
    {
        if (_disposed) return;
        GiveUp();
        _disposed = true;
        _compiled?.Dispose();
        _model.Forget(this);
    }

    private void TakeCarried(ReadOnlySpan<float> from)
    {
        foreach (Matrix value in _compiled!.CarriedIn)   // compiled when it was made
            for (int t = 0; t < Rows.Tokens; t++, from = from[value.Width..]) from[..value.Width].CopyTo(new Span<float>(value.Row(t), value.Width));
    }

    private ReadOnlySpan<float> HandOn()
    {
        if (_carried.Length == 0) return default;
        Span<float> to = _carried;
        foreach (Matrix value in _compiled!.CarriedOut)   // compiled when it was made
            for (int t = 0; t < Rows.Tokens; t++, to = to[value.Width..]) new ReadOnlySpan<float>(value.Row(t), value.Width).CopyTo(to);
        return _carried.AsSpan(0, _carried.Length - to.Length);
    }
}
