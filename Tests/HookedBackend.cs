using MambaRT.Backends.Reference;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>The reference backend with something to do before a model is loaded and before each run of a batch.</summary>
internal sealed class HookedBackend : IBackend
{
    private readonly ReferenceBackend _inner = new();

    /// <summary>Called with the number of runs so far.</summary>
    public Action<int>? BeforeRun { get; set; }

    /// <summary>Called with what is about to be loaded.</summary>
    public Action<Plan>? BeforeLoad { get; set; }

    /// <summary>Called before a slot is cleared or copied over.</summary>
    public Action? BeforeSlot { get; set; }

    /// <summary>Why it cannot run anything; null where it can.</summary>
    public string? Why { get; set; }

    /// <summary>Runs so far.</summary>
    public int Runs { get; private set; }

    /// <summary>Models that were given back.</summary>
    public int Disposed { get; private set; }

    public string Name => "hooked";

    public string Description => _inner.Description;

    public DeviceDescription Device => _inner.Device;

    public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null) => Why ?? _inner.WhyNot(plan, weights, chunkTokens);

    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options) => _inner.Estimate(plan, weights, options);

    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        BeforeLoad?.Invoke(plan);
        return new HookedModel(this, _inner.Load(plan, weights, options, cancel));
    }

    public void Dispose() => _inner.Dispose();

    private sealed class HookedModel(HookedBackend owner, ILoadedModel inner) : ILoadedModel
    {
        public int Slots => inner.Slots;

        public MemoryUse Memory => inner.Memory;

        public void ReserveSlots(int count) => inner.ReserveSlots(count);

        public long SlotBytes(long position) => inner.SlotBytes(position);

        public long? PositionOf(int slot) => inner.PositionOf(slot);

        public void ClearSlot(int slot)
        {
            owner.BeforeSlot?.Invoke();
            inner.ClearSlot(slot);
        }

        public void CopySlot(int from, int to, long position)
        {
            owner.BeforeSlot?.Invoke();
            inner.CopySlot(from, to, position);
        }

        public void ExportSlot(int slot, long position, Stream canonical) => inner.ExportSlot(slot, position, canonical);

        public void ImportSlot(int slot, long position, Stream canonical) => inner.ImportSlot(slot, position, canonical);

        public BatchShape Bucket(BatchShape shape) => inner.Bucket(shape);

        public IExecutable Compile(BatchShape shape) => new HookedExecutable(owner, inner.Compile(shape));

        public void Dispose()
        {
            inner.Dispose();
            owner.Disposed++;
        }
    }

    private sealed class HookedExecutable(HookedBackend owner, IExecutable inner) : IExecutable
    {
        public BatchShape Shape => inner.Shape;

        public RunTicket Start(scoped Batch batch, CancellationToken cancel = default)
        {
            owner.BeforeRun?.Invoke(owner.Runs++);
            return inner.Start(batch, cancel);
        }

        public RunOutput Await(RunTicket run) => inner.Await(run);

        public void Dispose() => inner.Dispose();
    }
}
