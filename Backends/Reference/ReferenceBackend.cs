using MambaRT.Formats;

namespace MambaRT.Backends.Reference;

/// <summary>The definition: scalar, one thread, float32 values with sums in double. Every other backend is held to it.</summary>
/// <remarks>Holds nothing itself; models loaded by it are used by one thread at a time.</remarks>
public sealed class ReferenceBackend : IBackend
{
    /// <inheritdoc/>
    public string Name => "reference";

    /// <inheritdoc/>
    public string Description => "scalar, 1 thread, sums in float64: the definition the others are checked against";

    /// <inheritdoc/>
    public DeviceDescription Device => new("host", DeviceDescription.HostMemoryBytes, SharesHostMemory: true);

    /// <summary>It runs every op and decodes every storage type.</summary>
    public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null) => null;

    /// <inheritdoc/>
    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options)
    {
        using var model = new ReferenceModel(plan, weights, options with { Slots = 0, Observer = null, Memory = null });
        long scratch = 0;
        for (int sequences = 1; sequences == 1 || sequences / 2 < Math.Min(options.Slots, options.ChunkTokens); sequences *= 2)
        {
            using IExecutable executable = model.Compile(new BatchShape(sequences, sequences, sequences));
            scratch += model.Memory.Scratch;
        }
        return model.Memory with { States = checked((options.Slots + 1L) * model.SlotBytes(0)), Scratch = scratch };
    }

    /// <inheritdoc/>
    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        return new ReferenceModel(plan, weights, options);
    }

    /// <inheritdoc/>
    public void Dispose() { }
}
