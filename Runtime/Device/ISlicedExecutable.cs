namespace MambaRT.Devices;

/// <summary>An executable whose runs may be advanced for a time and resumed: an optional capability, asked for by a type test.</summary>
/// <remarks>From the beginning of such a run to its end nothing else is run on the model, and the slots of its batch have no position.</remarks>
public interface ISlicedExecutable : IExecutable
{
    /// <summary>Touches the memory that runs of the model compute in, and what takes its place later, so that none has to wait until the system makes it. Outside of what keeps a time.</summary>
    void TouchMemory();

    /// <summary>Begins a run as <see cref="IExecutable.Start"/> does, and does nothing of it yet.</summary>
    /// <param name="batch">As for <see cref="IExecutable.Start"/>.</param>
    /// <returns>What to await when the run is over.</returns>
    RunTicket Begin(scoped Batch batch);

    /// <summary>Goes on with the run that was begun.</summary>
    /// <param name="time">For how long. A unit of work that has begun is ended, and one is done in any case.</param>
    /// <returns>Whether the run is over; then it is awaited as any other.</returns>
    /// <exception cref="InvalidOperationException">No run was begun; or the run failed, and is over.</exception>
    bool Advance(TimeSpan time);

    /// <summary>Gives up the run that was begun, if there is one; its slots are as after a run that failed.</summary>
    void GiveUp();
}
