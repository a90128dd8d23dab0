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
    private readonly Dictionary<Bucket, RecordedCommands> _recorded = [];
    private readonly HostPicks _picks;
    private readonly SequenceSpan[] _spans;
    private readonly TokenPick[] _wanted;
    private float[] _logits = [], _carried = [], _observed = [];
    private Exception? _failure;
    private int _rows, _sequences, _outputs, _pickCount, _moves;
    private bool _wantsLogits, _disposed;

    public VulkanExecutable(VulkanModel model, DeviceSlots slots, DeviceWeights weights, BatchShape shape)
    {
        int most = Math.Min(model.Device.Traits.MostGroups, ushort.MaxValue);
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
        }
        catch
        {
            DisposeMemory();
            throw;
        }
        _picks = new HostPicks(shape.Sequences, model.NeverPicked, model.EndTokens);
        _spans = new SequenceSpan[shape.Sequences];
        _wanted = new TokenPick[shape.Sequences];
        model.ScratchBytes += ScratchBytes;
    }

    public BatchShape Shape { get; }

    private long ScratchBytes => _arena.Bytes + _table.Bytes + _halves.Bytes;

    private bool HasLogits => _model.Plan.Logits is not null;

    public RunTicket Start(scoped Batch batch, CancellationToken cancel = default) => Start(batch, null, cancel);

    public RunTicket StartTraced(scoped Batch batch, IOpObserver observer, CancellationToken cancel = default) => Start(batch, observer, cancel);

    public RunOutput Await(RunTicket run)
    {
        if (_model.Running == this) Finish();
        if (_failure is { } failure) throw failure;
        return new RunOutput(_wantsLogits ? _logits.AsSpan(0, Logits.Length) : default, _picks.Of(run), _carriedOut.Read(_rows, ref _carried)) { IsFinite = _wantsLogits ? null : _picks.AreFinite(run) };
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (_model.Running == this) Finish();
        _model.ScratchBytes -= ScratchBytes;
        Forget();
        DisposeMemory();
    }

    private RunTicket Start(scoped in Batch batch, IOpObserver? observer, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancel.ThrowIfCancellationRequested();
        _model.Running?.Finish();
        int outputs = _slots.Table.Check(batch, Shape, _model.Plan);
        if (_weights.Refusal is { } refusal) throw refusal;
        bool single = batch.Sequences.Length == batch.Tokens.Length;
        _table.Fill(batch, outputs, _slots.Table);
        _carriedIn.Fill(batch.Carried, batch.Tokens.Length);
        Keep(batch, outputs);
        try
        {
            if (observer is not null || _model.Observer is not null) RunOps(new Bucket(_rows, _sequences, outputs, single), observer, cancel);
            else _model.Lane.Start(Recorded(new Bucket(Round(_rows, Shape.Tokens), Round(_sequences, Shape.Sequences), Round(outputs, Shape.Outputs), single)).Commands, "a run");
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

    /// <summary>Waits for the run in flight and picks its tokens; what goes wrong is told by <see cref="Await"/>.</summary>
    private void Finish()
    {
        _model.Running = null;
        ReadOnlySpan<SequenceSpan> spans = _spans.AsSpan(0, _sequences);
        try
        {
            _model.Lane.Wait("a run");
            if (_wantsLogits)
            {
                if (_logits.Length < Logits.Length) _logits = new float[Logits.Length];
                Logits.CopyTo(_logits);   // what was read stays readable when this is disposed
            }
            var ran = new Batch { Tokens = default, Sequences = spans, Picks = _wanted.AsSpan(0, _pickCount) };
            _picks.Pick(_model.Runs, ran, Logits, _slots.Table);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _slots.Table.Lose(spans);
            _failure = e;
        }
    }

    private ReadOnlySpan<float> Logits => HasLogits ? _arena.Logits.Span<float>(0, (long)_outputs * _model.Plan.VocabularySize) : default;

    /// <summary>What is needed of a batch when its run is over.</summary>
    private void Keep(scoped in Batch batch, int outputs)
    {
        batch.Sequences.CopyTo(_spans);
        batch.Picks.CopyTo(_wanted);
        (_rows, _sequences, _outputs, _pickCount) = (batch.Tokens.Length, batch.Sequences.Length, outputs, batch.Picks.Length);
        (_wantsLogits, _failure) = (batch.WantsLogits, null);
    }

    /// <summary>The commands of a bucket. Where slots moved in the meantime, what was recorded names memory that is gone.</summary>
    private RecordedCommands Recorded(Bucket bucket)
    {
        if (_moves != _slots.Moves) Forget();
        _moves = _slots.Moves;
        return _recorded.TryGetValue(bucket, out RecordedCommands? known) ? known : _recorded[bucket] = Record(bucket);
    }

    private RecordedCommands Record(Bucket bucket)
    {
        VulkanCompiler compiler = Compiler(bucket);
        compiler.Compile(_model.Plan, _model.Steps);
        return Record(compiler.Dispatches, commands => Bring(commands, bucket.Rows), commands => _carriedOut.Bring(commands, bucket.Rows));
    }

    /// <summary>Op by op, each waited for, so that observers see what is read and what comes of it.</summary>
    private void RunOps(Bucket bucket, IOpObserver? observer, CancellationToken cancel)
    {
        Bring(_model.Lane.Begin("a batch"), bucket.Rows);
        _model.Lane.Run("a batch");
        foreach (Op op in _model.Plan.Ops)
        {
            cancel.ThrowIfCancellationRequested();
            if (op is LinearOp linear && _model.Observer is { } reader)
            {
                ReadOnlySpan<float> x = Read(linear.X);
                for (int row = 0; row < RowsOf(linear.X); row++) reader.Observe(linear.Weight, x.Slice(row * linear.X.Width, linear.X.Width));
            }
            VulkanCompiler compiler = Compiler(bucket);
            op.Accept(compiler);
            using (RecordedCommands one = Record(compiler.Dispatches, _ => { }, _ => { }))
            {
                _model.Lane.Start(one.Commands, op.Name);
                _model.Lane.Wait(op.Name);
            }
            observer?.Observe(op, Read(op.Output));
        }
        _carriedOut.Bring(_model.Lane.Begin("the last op"), bucket.Rows);
        _model.Lane.Send("the last op");
    }

    /// <summary>The rows of a value, brought to the host.</summary>
    private ReadOnlySpan<float> Read(Activation a)
    {
        RowsPlace place = _arena[a];
        int rows = RowsOf(a);
        if (_observed.Length < rows * place.Stride) _observed = new float[rows * place.Stride];
        Span<float> values = _observed.AsSpan(0, rows * place.Stride);
        if (rows == 0) return values;
        _model.Transfers.Read(place.Memory, place.Owner, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values));
        for (int row = 0; row < rows; row++) values.Slice(row * place.Stride + place.At, a.Width).CopyTo(values[(row * a.Width)..]);
        return values[..(rows * a.Width)];
    }

    private int RowsOf(Activation a) => a.Rows == RowDomain.Tokens ? _rows : _outputs;

    private VulkanCompiler Compiler(Bucket bucket) => new(_model.Device, _weights, _slots, _arena, _halves, _table, bucket);

    private RecordedCommands Record(IReadOnlyList<Dispatch> dispatches, Action<CommandBuffer> before, Action<CommandBuffer> after) =>
        new(_model.Device, _model.Lane, _model.Pipelines, dispatches, before, after);

    private void Bring(CommandBuffer commands, int rows)
    {
        _table.Send(commands);
        _carriedIn.Send(commands, rows);
    }

    private void Forget()
    {
        foreach (RecordedCommands commands in _recorded.Values) commands.Dispose();
        _recorded.Clear();
    }

    /// <summary>Gives back what there is, also of one that was not made to its end.</summary>
    private void DisposeMemory()
    {
        _arena?.Dispose();
        _table?.Dispose();
        _halves?.Dispose();
        _carriedIn?.Dispose();
        _carriedOut?.Dispose();
    }

    /// <summary>The next power of two, or the capacity where that is less.</summary>
    private static int Round(int count, int capacity) => count == 0 ? 0 : (int)Math.Min(BitOperations.RoundUpToPowerOf2((uint)count), (uint)capacity);
}
