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
    public string? WhyNot(Plan plan, IWeightSource weights) => null;

    /// <inheritdoc/>
    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        return new ReferenceModel(plan, weights, options);
    }

    /// <inheritdoc/>
    public void Dispose() { }
}
