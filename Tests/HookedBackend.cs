using MambaRT.Backends.Reference;
using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Tests;

/// <summary>The reference backend with something to do before each run of a batch.</summary>
internal sealed class HookedBackend : IBackend
{
    private readonly ReferenceBackend _inner = new();

    /// <summary>Called with the number of runs so far.</summary>
    public Action<int>? BeforeRun { get; set; }

    /// <summary>Runs so far.</summary>
    public int Runs { get; private set; }

    public string Name => "hooked";

    public string Description => _inner.Description;

    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options) => new HookedModel(this, _inner.Load(plan, weights, options));

    public void Dispose() => _inner.Dispose();

    private sealed class HookedModel(HookedBackend owner, ILoadedModel inner) : ILoadedModel
    {
        public int Slots => inner.Slots;

        public long ResidentBytes => inner.ResidentBytes;

        public void EnsureSlots(int count) => inner.EnsureSlots(count);

        public void ClearSlot(int slot) => inner.ClearSlot(slot);

        public void CopySlot(int from, int to) => inner.CopySlot(from, to);

        public void ExportSlot(int slot, Span<byte> canonical) => inner.ExportSlot(slot, canonical);

        public void ImportSlot(int slot, ReadOnlySpan<byte> canonical) => inner.ImportSlot(slot, canonical);

        public IExecutable Compile(BatchShape shape) => new HookedExecutable(owner, inner.Compile(shape));

        public void Dispose() => inner.Dispose();
    }

    private sealed class HookedExecutable(HookedBackend owner, IExecutable inner) : IExecutable
    {
        public BatchShape Shape => inner.Shape;

        public ReadOnlySpan<float> Run(scoped Batch batch, CancellationToken cancel = default)
        {
            owner.BeforeRun?.Invoke(owner.Runs++);
            return inner.Run(batch, cancel);
        }

        public void Dispose() => inner.Dispose();
    }
}
