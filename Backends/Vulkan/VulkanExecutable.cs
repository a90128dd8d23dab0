using System.Numerics;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>A plan over a device arena. For each bucket of shapes there are commands, recorded once.</summary>
internal sealed unsafe class VulkanExecutable : ITracedExecutable
{
    private readonly VulkanModel _model;
    private readonly DeviceSlots _slots;
    private readonly DeviceWeights _weights;
    private readonly ArenaMemory _arena;
    private readonly BatchTable _table;
    private readonly HalfScratch _halves;
    private readonly CarriedRows _carriedIn, _carriedOut;
    private readonly Dictionary<Variant, RecordedCommands> _recorded = [];
    private readonly HostPicked _picked;
    private RelayStep? _relay;
    private readonly DeviceRun[] _runs;          // by number, the last two
    private readonly long[] _sent = new long[2]; // the last of what was sent for each
    private float[] _logitRows = [], _carried = [], _observed = [];
    private int _inFlight, _moves;
    private long _counted;
    private bool _disposed;

    /// <summary>What commands are recorded for beside shapes: what comes back, and the turn.</summary>
    private readonly record struct Variant(Bucket Bucket, bool Picks, bool Logits, int Turn);

    public VulkanExecutable(VulkanModel model, DeviceSlots slots, DeviceWeights weights, BatchShape shape)
    {
        int most = model.Device.Traits.MostRows;
        if (shape.Tokens > most || shape.Sequences > most)
            throw new NotSupportedException($"A batch of {shape.Tokens} tokens in {shape.Sequences} sequences is more than the vulkan backend runs at once, {most} of each; feed smaller chunks.");
        (_model, _slots, _weights, Shape) = (model, slots, weights, shape);
        try
        {
            _arena = new ArenaMemory(model.Plan, shape, model.Device);
            _table = new BatchTable(shape, model.Device);
            _halves = new HalfScratch(model.Plan, weights, shape, model.Device);
            _carriedIn = new CarriedRows(model.Plan.CarriedIn, shape, _arena, model.Device);
            _carriedOut = new CarriedRows(model.Plan.CarriedOut, shape, _arena, model.Device);
            _picked = new HostPicked(shape.Sequences, model.Device);
        }
        catch
        {
            DisposeMemory();
            throw;
        }
        _runs = [new DeviceRun(shape.Sequences), new DeviceRun(shape.Sequences)];
        CountMemory();
    }

    public BatchShape Shape { get; }

    private long ScratchBytes => _arena.Bytes + _table.Bytes + _halves.Bytes + (_relay?.Bytes ?? 0);

    private void CountMemory()
    {
        _model.ScratchBytes += ScratchBytes - _counted;
        _counted = ScratchBytes;
    }

    private bool HasLogits => _model.Plan.Logits is not null;

    public RunTicket Start(scoped Batch batch, CancellationToken cancel = default) => Start(batch, null, cancel);

    public RunTicket StartTraced(scoped Batch batch, IOpObserver observer, CancellationToken cancel = default) => Start(batch, observer, cancel);

    public RunOutput Await(RunTicket ticket)
    {
        if (_model.Running == this)
            while (_inFlight > 0 && _model.Runs - _inFlight < ticket.Number) FinishOldest();
        DeviceRun run = Run(ticket.Number);
        if (run.Failure is { } failure) throw failure;
        return new RunOutput(run.WantsLogits ? Logits(run) : default, run.Picked, _carriedOut.Read(run.Rows, ref _carried)) { IsFinite = run.IsFinite };
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (_model.Running == this) FinishAll();
        _model.ScratchBytes -= _counted;
        Forget();
        DisposeMemory();
    }

    private DeviceRun Run(long number) => _runs[number & 1];

    private RunTicket Start(scoped in Batch batch, IOpObserver? observer, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancel.ThrowIfCancellationRequested();
        bool single = batch.Sequences.Length == batch.Tokens.Length, traced = observer is not null || _model.Observer is not null;
        KernelProfile? profile = _model.Device.Profile;
        bool ahead = !traced && profile is null && IsReadyFor(batch);
        if (!ahead) _model.Running?.FinishAll();
        int outputs = _slots.Table.Check(batch, Shape, _model.Plan);
        if (_weights.Refusal is { } refusal) throw refusal;
        int turn = ahead ? 1 - Run(_model.Runs).Turn : 0;
        var variant = new Variant(new Bucket(batch.Tokens.Length, batch.Sequences.Length, outputs, single), !batch.Picks.IsEmpty, batch.Picks.IsEmpty || batch.WantsLogits, turn);
        Variant rounded = Rounded(variant);
        ForgetWhatIsGone();
        RecordedCommands? ready = traced || profile is not null ? null : Recorded(rounded, cancel);   // first: nothing is lost by what a driver refuses, or a user who will not wait for its shaders
        RelayStep? relay = traced ? null : Relay(rounded);
        _table.Fill(turn, batch, outputs, _model.PickLists.Tokens, relay?.NextPlace() ?? 0);
        _carriedIn.Fill(batch.Carried, batch.Tokens.Length);
        Run(_model.Runs + 1).Begin(_model.Runs + 1, turn, batch, outputs);
        if (variant.Picks) _picked.Forget(turn);
        _relay?.Forget(turn);
        try
        {
            _sent[(_model.Runs + 1) & 1] = traced ? RunOps(variant, observer, cancel) : profile is not null ? RunTimed(rounded, profile, cancel) : Send(ready!, cancel);
        }
        catch
        {
            _slots.Table.Lose(batch.Sequences);
            throw;
        }
        relay?.HasGone();
        _slots.Table.Advance(batch);
        _model.Running = this;
        _inFlight++;
        return new RunTicket(++_model.Runs);
    }

    /// <summary>Whether a batch may be started beside the run in flight: nothing but picked tokens comes back of either, and nothing crosses a cut.</summary>
    private bool IsReadyFor(scoped in Batch batch)
    {
        if (!_model.WorksAhead || _model.Running != this || batch.Picks.IsEmpty || batch.WantsLogits || !Run(_model.Runs).OnlyPicks || !_model.Plan.CarriedOut.IsEmpty) return false;
        if (_inFlight == 2) FinishOldest();
        return true;
    }

    /// <summary>Waits for all runs in flight.</summary>
    private void FinishAll()
    {
        while (_inFlight > 0) FinishOldest();
    }

    /// <summary>Waits for a run and takes what came of it; what goes wrong is told by <see cref="Await"/>.</summary>
    private void FinishOldest()
    {
        DeviceRun run = Run(_model.Runs - _inFlight + 1);
        if (--_inFlight == 0) _model.Running = null;
        try
        {
            _model.Lane.WaitFor(_sent[run.Number & 1], "a run");
            if (_relay?.HasMet(run.Turn) == false)
            {
                _model.RelayGroups = 0;
                throw new VulkanException("a step in one dispatch", Result.Timeout, "a run");
            }
            if (run.WantsLogits) TakeLogits(run);
            run.End(_picked.Read(run.Turn), run.OnlyPicks ? _picked.AreFinite(run.Turn) : null, _slots.Table);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _slots.Table.Lose(run.Spans);
            run.Failure = e;
        }
    }

    private int CountOf(DeviceRun run) => HasLogits ? run.Outputs * _model.Plan.VocabularySize : 0;

    private ReadOnlySpan<float> Logits(DeviceRun run) => _logitRows.AsSpan(0, CountOf(run));

    private void TakeLogits(DeviceRun run)
    {
        int count = CountOf(run);
        if (_logitRows.Length < count) _logitRows = new float[Math.Max(count, _model.Plan.VocabularySize)];
        if (count > 0) _arena.Logits.Span<float>(0, count).CopyTo(_logitRows);
    }

    private Variant Rounded(Variant v) =>
        v with { Bucket = v.Bucket with { Rows = Round(v.Bucket.Rows, Shape.Tokens), Sequences = Round(v.Bucket.Sequences, Shape.Sequences), Outputs = Round(v.Bucket.Outputs, Shape.Outputs) } };

    /// <summary>Sends one part after the other, of which two are under way, so that a device has something to do and a user who cancels waits for no more.</summary>
    /// <returns>The number of the last.</returns>
    private long Send(RecordedCommands commands, CancellationToken cancel)
    {
        const string What = "a run";
        long sent = 0;
        try
        {
            for (int i = 0; i < commands.Parts.Count; i++)
            {
                if (i > 0) cancel.ThrowIfCancellationRequested();
                if (i > 1) _model.Lane.WaitFor(sent - 1, What);
                sent = _model.Lane.Start(commands.Parts[i], What);
            }
        }
        catch when (sent > 0)
        {
            _model.Lane.Settle();
            throw;
        }
        return sent;
    }

    /// <summary>The commands of a variant. Where slots moved in the meantime, what was recorded names memory that is gone.</summary>
    private RecordedCommands Recorded(Variant variant, CancellationToken cancel)
    {
        if (_recorded.TryGetValue(variant, out RecordedCommands? known)) return known;
        IReadOnlyList<Dispatch> dispatches = DispatchesOf(variant);
        foreach (Dispatch dispatch in dispatches.Concat(Picks(variant)))
        {
            cancel.ThrowIfCancellationRequested();   // a driver may take seconds for a shader
            _ = _model.Pipelines[dispatch.Shader];
        }
        return _recorded[variant] = Record(variant, dispatches);
    }

    private void ForgetWhatIsGone()
    {
        if (_relay is not null && _model.RelayGroups == 0)
        {
            _model.Lane.Settle();
            Forget();
        }
        if (_moves != _slots.Moves) Forget();
        _moves = _slots.Moves;
    }

    private IReadOnlyList<Dispatch> DispatchesOf(Variant variant)
    {
        VulkanCompiler compiler = Compiler(variant);
        if (variant.Picks && !variant.Logits) compiler.Resolve();
        IReadOnlyList<Dispatch> dispatches = compiler.Dispatches;
        if (Relay(variant) is { } relay) dispatches = [.. dispatches, relay.Dispatch(_table.Memory(variant.Turn), LogitsMemory, variant.Turn, _model.RelayGroups)];
        else compiler.Compile(_model.Plan, _model.Steps);
        CountMemory();   // logits that are kept have been given theirs
        return dispatches;
    }

    private RecordedCommands Record(Variant variant, IReadOnlyList<Dispatch> dispatches, DispatchTimer? timer = null) =>
        new(_model.Device, _model.Lane, _model.Pipelines, dispatches, commands => Bring(commands, variant), commands => HandOut(commands, variant), Picks(variant), timer);

    /// <summary>Dispatch by dispatch, with the time that each took.</summary>
    /// <returns>The number of what was sent last.</returns>
    private long RunTimed(Variant variant, KernelProfile profile, CancellationToken cancel)
    {
        if (Relay(variant) is not null) RelayTrial.AddTimes(_model, table => Steps(table, variant.Bucket), profile);   // first: logits are written to the same place
        IReadOnlyList<Dispatch> dispatches = DispatchesOf(variant);
        using var timer = new DispatchTimer(_model.Device, dispatches.Count + 1);   // and one that picks
        using RecordedCommands commands = Record(variant, dispatches, timer);
        long sent = Send(commands, cancel);
        _model.Lane.WaitFor(sent, "a timed run");
        timer.AddTo(profile, _model.Plan);
        return sent;
    }

    /// <summary>What runs a step in one dispatch; null where it goes by several.</summary>
    private RelayStep? Relay(Variant variant)
    {
        if (_model.RelayGroups == 0 || variant.Bucket is not { Rows: 1, Sequences: 1, Outputs: 1, Single: true }) return null;
        if (_relay is null || !_model.HasTriedRelay) MakeRelay(variant.Bucket);
        return _model.RelayGroups > 0 ? _relay : null;
    }

    /// <summary>By itself, as what the trial is handed allocates, and steps ask each time.</summary>
    private void MakeRelay(Bucket bucket)
    {
        _relay ??= RelayStep.For(_model, _weights, _slots);
        if (_relay is null) _model.RelayGroups = 0;
        else if (!_model.HasTriedRelay) _model.RelayGroups = RelayTrial.Groups(_model, _relay, LogitsMemory, table => Steps(table, bucket));
        _model.HasTriedRelay = true;
    }

    private IReadOnlyList<Dispatch> Steps(BufferSlice table, Bucket bucket)
    {
        var compiler = new VulkanCompiler(_model.Device, _weights, _slots, _arena, _halves, table, bucket);
        compiler.Compile(_model.Plan, _model.Steps);
        return compiler.Dispatches;
    }

    /// <summary>Where logits go of what is recorded now.</summary>
    private BufferSlice LogitsMemory => (_arena.KeepsLogits ? _arena.KeptLogits : _arena.Logits).Whole;

    /// <summary>What picks tokens, after logits are read: it writes over those of tokens that are not picked.</summary>
    private Dispatch[] Picks(Variant variant) => !variant.Picks ? []
        : [_model.PickLists.PickFrom(_arena.KeptLogits.Whole, _model.Plan.VocabularySize, _table.Memory(variant.Turn), _slots.LastPicks, _picked, variant.Turn, variant.Bucket.Sequences, Shape.Sequences)];

    /// <summary>Op by op, each waited for, so that observers see what is read and what comes of it.</summary>
    /// <returns>The number of what was sent last.</returns>
    private long RunOps(Variant variant, IOpObserver? observer, CancellationToken cancel)
    {
        VulkanCompiler compiler = Compiler(variant);
        if (variant.Picks && !variant.Logits) compiler.Resolve();
        RunAlone(Record(compiler.Dispatches, commands => Bring(commands, variant), _ => { }, []), "a batch");
        foreach (Op op in _model.Plan.Ops)
        {
            cancel.ThrowIfCancellationRequested();
            if (op is LinearOp linear && _model.Observer is { } reader)
            {
                ReadOnlySpan<float> x = Read(linear.X, variant.Bucket);
                for (int row = 0; row < RowsOf(linear.X, variant.Bucket); row++) reader.Observe(linear.Weight, x.Slice(row * linear.X.Width, linear.X.Width));
            }
            compiler = Compiler(variant);
            op.Accept(compiler);
            RunAlone(Record(compiler.Dispatches, _ => { }, _ => { }, []), op.Name);
            observer?.Observe(op, Read(op.Output, variant.Bucket));
        }
        return RunAlone(Record([], _ => { }, commands => HandOut(commands, variant), Picks(variant)), "the logits");
    }

    private long RunAlone(RecordedCommands commands, string what)
    {
        using (commands)
        {
            long sent = 0;
            foreach (CommandBuffer part in commands.Parts)
            {
                sent = _model.Lane.Start(part, what);
                _model.Lane.WaitFor(sent, what);
            }
            return sent;
        }
    }

    /// <summary>The rows of a value, brought to the host.</summary>
    private ReadOnlySpan<float> Read(Activation a, Bucket bucket)
    {
        RowsPlace place = _arena[a];
        int rows = RowsOf(a, bucket);
        if (_observed.Length < rows * place.Stride) _observed = new float[rows * place.Stride];
        Span<float> values = _observed.AsSpan(0, rows * place.Stride);
        if (rows == 0) return values;
        _model.Transfers.Read(place.Memory, place.Owner, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values));
        for (int row = 0; row < rows; row++) values.Slice(row * place.Stride + place.At, a.Width).CopyTo(values[(row * a.Width)..]);
        return values[..(rows * a.Width)];
    }

    private static int RowsOf(Activation a, Bucket bucket) => a.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs;

    private VulkanCompiler Compiler(Variant variant)
    {
        _arena.KeepsLogits = variant.Picks;
        return new VulkanCompiler(_model.Device, _weights, _slots, _arena, _halves, _table.Memory(variant.Turn), variant.Bucket);
    }

    private RecordedCommands Record(IReadOnlyList<Dispatch> dispatches, Action<CommandBuffer> before, Action<CommandBuffer> after, IReadOnlyList<Dispatch> last) =>
        new(_model.Device, _model.Lane, _model.Pipelines, dispatches, before, after, last);

    private void Bring(CommandBuffer commands, Variant variant)
    {
        _table.Send(variant.Turn, commands);
        _carriedIn.Send(commands, variant.Bucket.Rows);
    }

    /// <summary>Logits that tokens are picked from lie on the device; others are where the host reads them.</summary>
    private void HandOut(CommandBuffer commands, Variant variant)
    {
        if (variant.Picks && variant.Logits) _arena.CopyLogits(commands);
        _carriedOut.Bring(commands, variant.Bucket.Rows);
    }

    private void Forget()
    {
        foreach (RecordedCommands commands in _recorded.Values) commands.Dispose();
        _recorded.Clear();
        _relay?.Dispose();
        _relay = null;
    }

    /// <summary>Gives back what there is, also of one that was not made to its end.</summary>
    private void DisposeMemory()
    {
        _arena?.Dispose();
        _table?.Dispose();
        _halves?.Dispose();
        _carriedIn?.Dispose();
        _carriedOut?.Dispose();
        _picked?.Dispose();
    }

    /// <summary>The next power of two, or the capacity where that is less.</summary>
    private static int Round(int count, int capacity) => count == 0 ? 0 : (int)Math.Min(BitOperations.RoundUpToPowerOf2((uint)count), (uint)capacity);
}
