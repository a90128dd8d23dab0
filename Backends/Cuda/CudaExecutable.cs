using System.Numerics;

namespace MambaRT.Backends.Cuda;

/// <summary>A plan over a device arena. For each bucket of shapes there is one list of launches, small ones captured as a graph.</summary>
internal sealed unsafe class CudaExecutable : IExecutable
{
    /// <summary>Above this many rows a list is captured when it runs again only: what it starts takes longer than a launch, but not than all of them.</summary>
    private const int MostCapturedAtOnce = 64;

    private readonly CudaModel _model;
    private readonly DeviceSlots _slots;
    private readonly DeviceWeights _weights;
    private readonly ArenaMemory _arena;
    private readonly BatchTable _table;
    private readonly RoundedMemory _rounded;
    private readonly HalfMemory _halves;
    private readonly SsdChunks _ssdChunks;
    private readonly HostLogits _logits;
    private readonly CarriedMemory _carried;
    private readonly Dictionary<Variant, Compiled> _compiled = [];
    private readonly ActivationReader? _reader;
    private readonly HostPicked _picked;
    private readonly CudaEvent _over;
    private readonly DeviceRun[] _runs;   // by number, the last two
    private int _inFlight;
    private bool _checksLogits, _disposed;

    /// <summary>What a list of launches is made for beside shapes: what comes back, and the turn.</summary>
    private readonly record struct Variant(Bucket Bucket, bool Picks, bool Logits, int Turn);

    private sealed record Compiled(LaunchList Launches, int[] EndOfOp, Variant For, bool BringsTable, bool WritesLogits)
    {
        public CudaGraphExec? Graph { get; set; }

        /// <summary>Launches of ops; one that picks comes after.</summary>
        public int OpLaunches => EndOfOp[^1];

        public bool HasRun { get; set; }
    }

    public CudaExecutable(CudaModel model, DeviceSlots slots, DeviceWeights weights, BatchShape shape)
    {
        if (shape.Tokens > ushort.MaxValue || shape.Sequences > ushort.MaxValue)
            throw new NotSupportedException($"A batch of {shape.Tokens} tokens in {shape.Sequences} sequences is more than the cuda backend runs at once, {ushort.MaxValue} of each; feed smaller chunks.");
        (_model, _slots, _weights, Shape) = (model, slots, weights, shape);
        try
        {
            _arena = new ArenaMemory(model.Plan, shape);
            _table = new BatchTable(shape);
            _rounded = new RoundedMemory(model.Plan, weights, Math.Max(shape.Tokens, shape.Outputs));
            _halves = new HalfMemory(model.Plan, weights, shape, model);
            _ssdChunks = new SsdChunks(model, weights, shape);
            _logits = new HostLogits(shape.Outputs, Vocabulary);
            _carried = new CarriedMemory(model.Plan, _arena, shape.Tokens);
            _picked = new HostPicked(shape.Sequences);
            _over = new CudaEvent();
        }
        catch
        {
            DisposeMemory();
            throw;
        }
        _runs = [new DeviceRun(shape.Sequences), new DeviceRun(shape.Sequences)];
        if (model.Observer is { } observer) _reader = new ActivationReader(model, observer, _arena);
        model.ScratchBytes += ScratchBytes;
    }

    public BatchShape Shape { get; }

    /// <summary>Logits of a row: none in a piece that ends before the head.</summary>
    private int Vocabulary => _model.Plan.Logits is null ? 0 : _model.Plan.VocabularySize;

    private long ScratchBytes => _arena.Bytes + _table.Bytes + _rounded.Bytes + _halves.Bytes + _ssdChunks.Bytes;

    public RunTicket Start(scoped Batch batch, CancellationToken cancel = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancel.ThrowIfCancellationRequested();
        _model.MakeCurrent();
        bool ahead = IsReadyFor(batch);
        if (!ahead) _model.Running?.FinishAll();
        int outputs = _slots.Table.Check(batch, Shape, _model.Plan);
        if (_weights.Refusal is { } refusal) throw refusal;
        var bucket = new Bucket(Round(batch.Tokens.Length, Shape.Tokens), Round(batch.Sequences.Length, Shape.Sequences),
            Round(outputs, Shape.Outputs), batch.Sequences.Length == batch.Tokens.Length);
        int turn = ahead ? 1 - Run(_model.Runs).Turn : 0;
        Compiled compiled = Ready(new Variant(bucket, !batch.Picks.IsEmpty, batch.Picks.IsEmpty || batch.WantsLogits, turn));
        _table.Fill(turn, batch, outputs, _slots, Lists);
        Run(_model.Runs + 1).Begin(_model.Runs + 1, turn, batch, outputs);
        _checksLogits = compiled.WritesLogits;
        if (compiled.For.Picks) _picked.Forget(turn);
        if (compiled.WritesLogits) _logits.Forget();
        try
        {
            if (ahead) _over.Record(_model.Stream);   // the run before, as this is not there yet
            _carried.Take(batch.Carried, batch.Tokens.Length, _model.Stream);
            Launch(compiled, batch.Tokens.Length, outputs, cancel);
            _carried.Give(batch.Tokens.Length, _model.Stream);
            compiled.HasRun = true;
        }
        catch
        {
            _slots.Table.Lose(batch.Sequences);
            throw;
        }
        _slots.Table.Advance(batch);
        _model.Running = this;
        _inFlight++;
        return new RunTicket(++_model.Runs);
    }

    public RunOutput Await(RunTicket ticket)
    {
        if (_model.Running == this)
        {
            _model.MakeCurrent();
            while (_inFlight > 0 && _model.Runs - _inFlight < ticket.Number) FinishOldest();
        }
        DeviceRun run = Run(ticket.Number);
        if (run.Failure is { } failure) throw failure;
        return new RunOutput(run.WantsLogits ? _logits.Span(run.Outputs) : default, run.Picked, _carried.Read(run.Rows)) { IsFinite = run.IsFinite };
    }

    private PickLists Lists => _model.PickLists!;   // there until the model is disposed, and its executables before

    private DeviceRun Run(long number) => _runs[number & 1];

    /// <summary>Whether a batch may be started beside the run in flight: nothing but picked tokens comes back of either, and nothing crosses a cut.</summary>
    private bool IsReadyFor(scoped in Batch batch)
    {
        if (!_model.WorksAhead || _model.Running != this || batch.Picks.IsEmpty || batch.WantsLogits || !Run(_model.Runs).OnlyPicks || _model.Profile is not null || _reader is not null
            || _model.Plan.CarriedIn.Length + _model.Plan.CarriedOut.Length > 0) return false;
        if (_inFlight == 2) FinishOldest();
        return true;
    }

    /// <summary>Waits for all runs in flight.</summary>
    private void FinishAll()
    {
        while (_inFlight > 0) FinishOldest();
    }

    /// <summary>Waits for a run and takes its tokens; what goes wrong is told by <see cref="Await"/>.</summary>
    private void FinishOldest()
    {
        DeviceRun run = Run(_model.Runs - _inFlight + 1);
        bool isLast = --_inFlight == 0;
        if (isLast) _model.Running = null;
        try
        {
            if (isLast) _model.Stream.Synchronize("a run");
            else _over.Synchronize();
            run.End(_picked.Read(run.Turn), IsFinite(run), _slots.Table);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _slots.Table.Lose(run.Spans);
            run.Failure = e;
        }
    }

    /// <summary>Whether the logits of a run that is over are finite; null where no kernel has looked.</summary>
    private bool? IsFinite(DeviceRun run) => run.OnlyPicks ? _picked.AreFinite(run.Turn) : run.WantsLogits && _checksLogits ? _logits.AreFinite : null;

    private void Launch(Compiled compiled, int tokens, int outputs, CancellationToken cancel)
    {
        KernelProfile? profile = compiled.For is { Picks: true, Logits: true } ? null : _model.Profile;   // its launches are timed without a copy between
        if (compiled.Graph is { } graph && profile is null)
        {
            _model.Stream.Launch(graph);
            return;
        }
        _table.Send(compiled.For.Turn, _model.Stream);
        if (profile is not null)
        {
            LaunchTimer.Run(profile, _model.Plan, compiled.Launches, compiled.EndOfOp, _model.Kernels, _model.Stream);
            if (compiled.For.Logits && !compiled.WritesLogits) ReadLogits(outputs);
            return;
        }
        RunOps(compiled, tokens, outputs, cancel);
        GiveResults(compiled, outputs);
    }

    /// <summary>What follows the ops. Logits are read before picks, which write over those of tokens that are not picked.</summary>
    private void GiveResults(Compiled compiled, int outputs)
    {
        if (compiled.For.Logits && !compiled.WritesLogits) ReadLogits(outputs);
        compiled.Launches.Run(_model.Stream, compiled.OpLaunches, compiled.Launches.Count);
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _model.TryMakeCurrent();
        if (_model.Running == this) FinishAll();
        _model.ScratchBytes -= ScratchBytes;
        foreach (Compiled compiled in _compiled.Values) compiled.Graph?.Dispose();
        DisposeMemory();
    }

    /// <summary>Gives back what there is, also of one that was not made to its end.</summary>
    private void DisposeMemory()
    {
        _arena?.Dispose();
        _table?.Dispose();
        _rounded?.Dispose();
        _halves?.Dispose();
        _ssdChunks?.Dispose();
        _logits?.Dispose();
        _carried?.Dispose();
        _picked?.Dispose();
        _over?.Dispose();
    }

    private void RunOps(Compiled compiled, int rows, int outputs, CancellationToken cancel)
    {
        ReadOnlySpan<Op> ops = _model.Plan.Ops;
        for (int i = 0, from = 0; i < ops.Length; from = compiled.EndOfOp[i++])
        {
            if (cancel.IsCancellationRequested)
            {
                _model.Stream.Synchronize("a cancelled batch");
                cancel.ThrowIfCancellationRequested();
            }
            if (_reader is not null && ops[i] is LinearOp linear) _reader.Read(linear, linear.X.Rows == RowDomain.Tokens ? rows : outputs);
            compiled.Launches.Run(_model.Stream, from, compiled.EndOfOp[i]);
        }
    }

    private void ReadLogits(int outputs)
    {
        if (outputs > 0 && Vocabulary > 0) _model.Stream.CopyToHost(_logits.Address, _arena.Logits, (long)outputs * Vocabulary * sizeof(float), "the logits");
    }

    /// <summary>Launches for a variant, captured once that pays.</summary>
    private Compiled Ready(Variant variant)
    {
        if (!_compiled.TryGetValue(variant, out Compiled? compiled)) compiled = _compiled[variant] = Compile(variant);
        if (_reader is null && (compiled.HasRun || variant.Bucket.Rows <= MostCapturedAtOnce)) compiled.Graph ??= Capture(compiled);
        return compiled;
    }

    private Compiled Compile(Variant variant)
    {
        Bucket bucket = variant.Bucket;
        StepGroups? steps = bucket.Single && _reader is null ? _model.Steps : null;
        ReadOnlySpan<Op> ops = _model.Plan.Ops;
        bool bringsTable = steps is not null && bucket.Rows <= StepCompiler.MostRows && ops[0] is EmbedOp;
        var compiler = new CudaCompiler(_model, _weights, _arena, _table, _rounded, _halves, variant.Picks ? null : _logits, _ssdChunks, bucket) { BringsTable = bringsTable, Turn = variant.Turn };
        int[] ends = new int[ops.Length];
        var step = new StepCompiler(_model, _weights, _arena, _table, _halves, variant.Picks ? null : _logits, bucket, compiler.Launches);
        for (int i = 0; i < ops.Length;)
        {
            int count = 1;
            if (steps?[i] is { } group && step.TryAdd(group))
            {
                count = group.Count;
                foreach (Op op in ops.Slice(i, count)) compiler.Wrote(op);
            }
            else if (steps?[i] is { } ofMany && compiler.TryAddBatchStep(ofMany)) count = ofMany.Count;
            else if (_reader is null && compiler.TryAddConvolvedScan(i)) count = 2;
            else ops[i].Accept(compiler);
            ends.AsSpan(i, count).Fill(compiler.Launches.Count);
            i += count;
        }
        if (variant.Picks) compiler.Pick(Lists, _picked);
        return new Compiled(compiler.Launches, ends, variant, compiler.BringsTable, step.WroteLogits || compiler.WroteLogits);
    }

    private CudaGraphExec Capture(Compiled compiled) => _model.Stream.Capture(() =>
    {
        if (!compiled.BringsTable) _table.Send(compiled.For.Turn, _model.Stream);
        compiled.Launches.Run(_model.Stream, 0, compiled.OpLaunches);
        GiveResults(compiled, compiled.For.Bucket.Outputs);
    });

    /// <summary>The next power of two, or the capacity where that is less.</summary>
    private static int Round(int count, int capacity) => count == 0 ? 0 : (int)Math.Min(BitOperations.RoundUpToPowerOf2((uint)count), (uint)capacity);
}
