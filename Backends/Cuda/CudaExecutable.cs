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
    private readonly Dictionary<Bucket, Compiled> _buckets = [];
    private readonly ActivationReader? _reader;
    private readonly HostPicks _picks;
    private readonly SequenceSpan[] _spans;
    private readonly TokenPick[] _wanted;
    private Exception? _failure;
    private int _rows, _sequences, _outputs, _pickCount;
    private bool _wantsLogits, _checksLogits, _disposed;

    private sealed record Compiled(LaunchList Launches, int[] EndOfOp, bool BringsTable, bool WritesLogits)
    {
        public CudaGraphExec? Graph { get; set; }

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
            _ssdChunks = new SsdChunks(model.Plan, model.Kernels, shape);
            _logits = new HostLogits(shape.Outputs, Vocabulary);
            _carried = new CarriedMemory(model.Plan, _arena, shape.Tokens);
        }
        catch
        {
            DisposeMemory();
            throw;
        }
        _picks = new HostPicks(shape.Sequences, model.NeverPicked);
        _spans = new SequenceSpan[shape.Sequences];
        _wanted = new TokenPick[shape.Sequences];
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
        _model.Running?.Finish();
        int outputs = _slots.Table.Check(batch, Shape, _model.Plan);
        if (_weights.Refusal is { } refusal) throw refusal;
        var bucket = new Bucket(Round(batch.Tokens.Length, Shape.Tokens), Round(batch.Sequences.Length, Shape.Sequences),
            Round(outputs, Shape.Outputs), batch.Sequences.Length == batch.Tokens.Length);
        if (!_buckets.TryGetValue(bucket, out Compiled? compiled)) compiled = _buckets[bucket] = Compile(bucket);
        if (_reader is null && (compiled.HasRun || bucket.Rows <= MostCapturedAtOnce)) compiled.Graph ??= Capture(compiled, bucket);
        _table.Fill(batch, outputs, _slots);
        Keep(batch, outputs);
        _checksLogits = compiled.WritesLogits;
        _logits.Forget();
        try
        {
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
        return new RunTicket(++_model.Runs);
    }

    public RunOutput Await(RunTicket run)
    {
        if (_model.Running == this)
        {
            _model.MakeCurrent();
            Finish();
        }
        if (_failure is { } failure) throw failure;
        return new RunOutput(_wantsLogits ? _logits.Span(_outputs) : default, _picks.Of(run), _carried.Read(_rows)) { IsKnownFinite = _checksLogits && _logits.AreFinite };
    }

    /// <summary>Waits for the run in flight and picks its tokens; what goes wrong is told by <see cref="Await"/>.</summary>
    private void Finish()
    {
        _model.Running = null;
        ReadOnlySpan<SequenceSpan> spans = _spans.AsSpan(0, _sequences);
        try
        {
            _model.Stream.Synchronize("a run");
            var ran = new Batch { Tokens = default, Sequences = spans, Picks = _wanted.AsSpan(0, _pickCount) };
            _picks.Pick(_model.Runs, ran, _logits.Span(_outputs), _slots.Table);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _slots.Table.Lose(spans);
            _failure = e;
        }
    }

    /// <summary>What is needed of a batch when its run is over.</summary>
    private void Keep(scoped in Batch batch, int outputs)
    {
        batch.Sequences.CopyTo(_spans);
        batch.Picks.CopyTo(_wanted);
        (_rows, _sequences, _outputs, _pickCount) = (batch.Tokens.Length, batch.Sequences.Length, outputs, batch.Picks.Length);
        (_wantsLogits, _failure) = (batch.WantsLogits, null);
    }

    private void Launch(Compiled compiled, int tokens, int outputs, CancellationToken cancel)
    {
        if (compiled.Graph is { } graph && _model.Profile is null)
        {
            _model.Stream.Launch(graph);
            return;
        }
        _table.Send(_model.Stream);
        if (_model.Profile is { } profile) LaunchTimer.Run(profile, _model.Plan, compiled.Launches, compiled.EndOfOp, _model.Kernels, _model.Stream);
        else RunOps(compiled, tokens, outputs, cancel);
        if (!compiled.WritesLogits) ReadLogits(outputs);
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _model.TryMakeCurrent();
        if (_model.Running == this) Finish();
        _model.ScratchBytes -= ScratchBytes;
        foreach (Compiled compiled in _buckets.Values) compiled.Graph?.Dispose();
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

    private Compiled Compile(Bucket bucket)
    {
        StepGroups? steps = bucket.Single && _reader is null ? _model.Steps : null;
        ReadOnlySpan<Op> ops = _model.Plan.Ops;
        bool bringsTable = steps is not null && bucket.Rows <= StepCompiler.MostRows && ops[0] is EmbedOp;
        var compiler = new CudaCompiler(_model, _weights, _arena, _table, _rounded, _halves, _logits, _ssdChunks, bucket) { BringsTable = bringsTable };
        int[] ends = new int[ops.Length];
        var step = new StepCompiler(_model, _weights, _arena, _table, _halves, _logits, bucket, compiler.Launches);
        for (int i = 0; i < ops.Length;)
        {
            int count = 1;
            if (steps?[i] is { } group && step.TryAdd(group)) count = group.Count;
            else ops[i].Accept(compiler);
            ends.AsSpan(i, count).Fill(compiler.Launches.Count);
            i += count;
        }
        return new Compiled(compiler.Launches, ends, compiler.BringsTable, step.WroteLogits || compiler.WroteLogits);
    }

    private CudaGraphExec Capture(Compiled compiled, Bucket bucket) => _model.Stream.Capture(() =>
    {
        if (!compiled.BringsTable) _table.Send(_model.Stream);
        compiled.Launches.Run(_model.Stream, 0, compiled.Launches.Count);
        if (!compiled.WritesLogits) ReadLogits(bucket.Outputs);
    });

    /// <summary>The next power of two, or the capacity where that is less.</summary>
    private static int Round(int count, int capacity) => count == 0 ? 0 : (int)Math.Min(BitOperations.RoundUpToPowerOf2((uint)count), (uint)capacity);
}
