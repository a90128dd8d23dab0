using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>A device that runs plans.</summary>
public interface IBackend : IDisposable
{
    /// <summary>Such as "cpu" or "reference".</summary>
    string Name { get; }

    /// <summary>One line on the device: processor, instruction set, threads.</summary>
    string Description { get; }

    /// <summary>Places the weights and makes room for states; refuses, by op and tensor name, what it cannot run.</summary>
    /// <exception cref="NotSupportedException">The device lacks an op or a storage type that the plan needs.</exception>
    /// <exception cref="FormatException">A tensor is missing, or one that is decoded at load is not finite.</exception>
    ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options);
}

/// <summary>What to prepare at load.</summary>
/// <param name="Slots">States to make room for at once; the table grows on demand.</param>
/// <param name="Observer">Sees what the projections read; null, as a rule, costs nothing.</param>
/// <param name="Subject">What errors are about: the model's file.</param>
public sealed record LoadOptions(int Slots = 1, IActivationObserver? Observer = null, string Subject = "The model");

/// <summary>Weights and state slots on one device. Slot 0 is scratch. Calls come from one thread at a time.</summary>
public interface ILoadedModel : IDisposable
{
    /// <summary>Slots there is room for, the scratch slot 0 not counted: ids 1 to Slots.</summary>
    int Slots { get; }

    /// <summary>Bytes this device holds beyond the mapped file: states, scratch, decoded vectors.</summary>
    long ResidentBytes { get; }

    /// <summary>Grows the table to at least <paramref name="count"/> slots; never during a run.</summary>
    void EnsureSlots(int count);

    /// <summary>Sets a slot to the zero state, before any token.</summary>
    void ClearSlot(int slot);

    /// <summary>Copies a state: what a fork is.</summary>
    void CopySlot(int from, int to);

    /// <summary>Writes a slot in <see cref="StateLayout"/>'s canonical order, float32, little-endian.</summary>
    void ExportSlot(int slot, Span<byte> canonical);

    /// <summary>Reads a slot from canonical bytes, so that a state can go on in another backend.</summary>
    void ImportSlot(int slot, ReadOnlySpan<byte> canonical);

    /// <summary>Makes what runs batches up to <paramref name="shape"/>; it is valid until the model is disposed.</summary>
    IExecutable Compile(BatchShape shape);
}

/// <summary>A plan made ready for batches up to a shape. Calls come from one thread at a time.</summary>
public interface IExecutable : IDisposable
{
    /// <summary>Capacities.</summary>
    BatchShape Shape { get; }

    /// <summary>Runs the plan over the batch and advances its slots; allocates nothing.</summary>
    /// <param name="batch">Validated before anything is touched.</param>
    /// <param name="cancel">Looked at between ops. When it fires, the states of the batch's slots are undefined: restore them.</param>
    /// <returns>Logits [outputs, vocabulary], valid until the next run of this model.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    /// <exception cref="FormatException">A weight (see <see cref="FiniteWeights"/>) or what a norm reads is not finite; the states are undefined, as above.</exception>
    ReadOnlySpan<float> Run(scoped Batch batch, CancellationToken cancel = default);
}
