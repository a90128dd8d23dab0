using System.Collections.Concurrent;
using MambaRT.Backends.Reference;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A device that works by itself: runs are queued, happen late on a thread of its own, and fail where a test says so. It knows the contract's interfaces alone.</summary>
internal sealed class LateBackend : IBackend
{
    private readonly ReferenceBackend _inner = new();

    /// <summary>The number of the run that fails, from 1; 0 for none.</summary>
    public long FailingRun { get; set; }

    /// <summary>The most runs that were in flight at once.</summary>
    public int MostInFlight { get; private set; }

    public string Name => "late";

    public string Description => "runs on a thread of its own";

    public DeviceDescription Device => new("late", 1 << 30, SharesHostMemory: false);

    public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null) => _inner.WhyNot(plan, weights, chunkTokens);

    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options) => _inner.Estimate(plan, weights, options);

    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default) =>
        new LateModel(this, plan, _inner.Load(plan, weights, options, cancel));

    public void Dispose() => _inner.Dispose();

    private sealed class LateModel : ILoadedModel
    {
        private readonly LateBackend _owner;
        private readonly Plan _plan;
        private readonly ILoadedModel _inner;
        private readonly SlotTable _table = new();
        private readonly BlockingCollection<LateRun> _queue = [];
        private readonly Queue<LateRun> _inFlight = new();
        private readonly Thread _thread;

        public LateModel(LateBackend owner, Plan plan, ILoadedModel inner)
        {
            (_owner, _plan, _inner) = (owner, plan, inner);
            _table.Grow(inner.Slots);
            _thread = new Thread(Work) { IsBackground = true };
            _thread.Start();
        }

        public int Slots => _table.Count;

        public MemoryUse Memory => _inner.Memory with { OnDevice = true };

        public long Runs { get; private set; }

        public bool WorksAhead => true;

        public void ReserveSlots(int count)
        {
            _inner.ReserveSlots(count);
            _table.Grow(count);
        }

        public long SlotBytes(long position) => _inner.SlotBytes(position);

        public long? PositionOf(int slot) => _table.PositionOf(slot);

        public void ClearSlot(int slot)
        {
            _inner.ClearSlot(slot);
            _table.Set(slot, 0);
        }

        public void CopySlot(int from, int to, long position)
        {
            _table.Copy(from, to, position);
            _inner.CopySlot(from, to, position);
        }

        public void ExportSlot(int slot, long position, Stream canonical)
        {
            _table.Ensure(slot, position);
            _inner.ExportSlot(slot, position, canonical);
        }

        public void ImportSlot(int slot, long position, Stream canonical)
        {
            _table.Lose(slot);
            _inner.ImportSlot(slot, position, canonical);
            _table.Set(slot, position);
        }

        public BatchShape Bucket(BatchShape shape) => shape with { Tokens = (shape.Tokens + 7) / 8 * 8 };

        public IExecutable Compile(BatchShape shape) => new LateExecutable(this, _inner.Compile(Bucket(shape)));

        public void Dispose()
        {
            _queue.CompleteAdding();
            _thread.Join();
            _inner.Dispose();
        }

        public RunTicket Start(IExecutable executable, scoped in Batch batch)
        {
            _table.Check(batch, executable.Shape, _plan);
            _table.Advance(batch);
            if (_inFlight.Count == 2) _inFlight.Peek().Over.Wait();
            var run = new LateRun(++Runs, executable, batch.Tokens.ToArray(), batch.Sequences.ToArray(), batch.Picks.ToArray(), batch.Carried.ToArray(), batch.WantsLogits);
            _inFlight.Enqueue(run);
            _owner.MostInFlight = Math.Max(_owner.MostInFlight, _inFlight.Count);
            _queue.Add(run);
            return new RunTicket(Runs);
        }

        public RunOutput Await(RunTicket ticket)
        {
            LateRun run = _inFlight.Dequeue();
            if (run.Number != ticket.Number) throw new ArgumentException($"Run {ticket.Number} was awaited before run {run.Number}.");
            run.Over.Wait();
            for (int i = 0; i < run.Picked.Length; i++)
                if (run.Picked[i] < 0 && run.Spans[i].Outputs != OutputRows.None) _table.TakeBack(run.Spans[i]);
            if (run.Failure is null) return new RunOutput(run.Logits, run.Picked, run.HandedOn) { IsFinite = run.IsFinite };
            _table.Lose(run.Spans);
            foreach (LateRun later in _inFlight) _table.Lose(later.Spans);
            throw new InvalidOperationException($"The device failed: {run.Failure.Message}", run.Failure);
        }

        private void Work()
        {
            foreach (LateRun run in _queue.GetConsumingEnumerable())
            {
                Thread.Sleep(2);
                try
                {
                    if (run.Number == _owner.FailingRun) throw new IOException("a planned failure");
                    RunTicket ticket = run.Executable.Start(new Batch { Tokens = run.Tokens, Sequences = run.Spans, Picks = run.Picks, Carried = run.Carried, WantsLogits = run.WantsLogits });
                    RunOutput output = run.Executable.Await(ticket);
                    (run.Logits, run.Picked, run.HandedOn, run.IsFinite) = (output.Logits.ToArray(), output.Picked.ToArray(), output.Carried.ToArray(), output.IsFinite);
                }
                catch (Exception e)
                {
                    run.Failure = e;
                }
                run.Over.Set();
            }
        }
    }

    private sealed class LateExecutable(LateModel model, IExecutable inner) : IExecutable
    {
        public BatchShape Shape => inner.Shape;

        public RunTicket Start(scoped Batch batch, CancellationToken cancel = default)
        {
            cancel.ThrowIfCancellationRequested();
            return model.Start(inner, batch);
        }

        public RunOutput Await(RunTicket run) => model.Await(run);

        public void Dispose() => inner.Dispose();
    }

    private sealed record LateRun(long Number, IExecutable Executable, int[] Tokens, SequenceSpan[] Spans, TokenPick[] Picks, float[] Carried, bool WantsLogits)
    {
        public ManualResetEventSlim Over { get; } = new();

        public float[] Logits { get; set; } = [];

        public int[] Picked { get; set; } = [];

        public float[] HandedOn { get; set; } = [];

        public bool? IsFinite { get; set; }

        public Exception? Failure { get; set; }
    }
}
