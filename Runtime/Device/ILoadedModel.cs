namespace MambaRT.Devices;

/// <summary>Weights and state slots on one device. Slot 0 is scratch. Calls come from one thread at a time, and none while a run is in flight but <see cref="IExecutable"/>'s.</summary>
/// <remarks>
/// A slot has a position: the tokens it has absorbed. Clearing sets it to 0, a run moves it on by the rows of its span, copies and imports set it. A run that
/// fails or is cancelled leaves the slots of its batch without one, and no run takes them before they are cleared, copied over or imported.
/// </remarks>
public interface ILoadedModel : IDisposable
{
    /// <summary>Slots there is room for, the scratch slot 0 not counted: ids 1 to Slots.</summary>
    int Slots { get; }

    /// <summary>What this model holds at present.</summary>
    MemoryUse Memory { get; }

    /// <summary>Makes room for at least <paramref name="count"/> slots; what is in those there are stays where it is.</summary>
    /// <exception cref="StateBudgetException">They would take more than <see cref="LoadOptions.StateBudget"/>; nothing has changed.</exception>
    /// <exception cref="InsufficientMemoryException">They would take more than the limit of <see cref="LoadOptions.Memory"/>; there is no slot more.</exception>
    void ReserveSlots(int count);

    /// <summary>Bytes that a slot takes on the device when it has absorbed so many tokens.</summary>
    long SlotBytes(long position);

    /// <summary>Tokens that a slot has absorbed, or null where a run that failed has left it undefined.</summary>
    long? PositionOf(int slot);

    /// <summary>Sets a slot to the zero state, before any token.</summary>
    void ClearSlot(int slot);

    /// <summary>Copies the state of a slot that has absorbed <paramref name="position"/> tokens: what a fork is.</summary>
    /// <exception cref="InvalidOperationException">The slot is at another position.</exception>
    void CopySlot(int from, int to, long position);

    /// <summary>Does a part of <see cref="CopySlot"/>, for a caller that has little time; where the backend has no parts, all of it.</summary>
    /// <param name="from">The slot to copy; 0 for the zero state, which then is what <see cref="ClearSlot"/> does.</param>
    /// <param name="to">The slot that takes it, which has no position before all is copied.</param>
    /// <param name="position">Tokens that <paramref name="from"/> has absorbed.</param>
    /// <param name="done">Bytes copied so far: 0 at the first call, and what the call before left it at.</param>
    /// <returns>Whether all is copied.</returns>
    /// <exception cref="InvalidOperationException">The slot is at another position.</exception>
    bool CopyPart(int from, int to, long position, ref long done)
    {
        if (from == 0) ClearSlot(to);
        else CopySlot(from, to, position);
        return true;
    }

    /// <summary>Writes the state of a slot that has absorbed <paramref name="position"/> tokens, in <see cref="StateLayout"/>'s canonical order, float32, little-endian.</summary>
    /// <exception cref="InvalidOperationException">The slot is at another position.</exception>
    void ExportSlot(int slot, long position, Stream canonical);

    /// <summary>Reads a slot from canonical bytes, so that a state can go on in another backend; the slot is at <paramref name="position"/> then.</summary>
    /// <exception cref="EndOfStreamException">The bytes end early; the slot has no position then.</exception>
    void ImportSlot(int slot, long position, Stream canonical);

    /// <summary>Whether the device works by itself while a run is in flight, so that it pays to start the next before that is over.</summary>
    bool WorksAhead => false;

    /// <summary>The shape of the executable that runs batches of <paramref name="shape"/>: no smaller in any number. Equal answers mean the same executable.</summary>
    BatchShape Bucket(BatchShape shape);

    /// <summary>Makes what runs batches up to the bucket of <paramref name="shape"/>; executables of a model share their scratch.</summary>
    IExecutable Compile(BatchShape shape);
}
