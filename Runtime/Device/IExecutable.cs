namespace MambaRT.Devices;

/// <summary>A plan made ready for batches up to a shape.</summary>
/// <remarks>
/// Runs of one model happen in the order they were started, whichever executables started them. At most two are in flight: starting a third waits for the
/// first. Calls come from one thread at a time. Neither call allocates.
/// </remarks>
public interface IExecutable : IDisposable
{
    /// <summary>Capacities.</summary>
    BatchShape Shape { get; }

    /// <summary>Begins to run the plan over the batch and to advance its slots; where the device works by itself it returns at once.</summary>
    /// <param name="batch">Checked whole before anything is touched; not needed any more when the call returns.</param>
    /// <param name="cancel">Looked at before the run, and within it where the backend can.</param>
    /// <returns>What to await.</returns>
    /// <exception cref="ArgumentException">The batch does not fit, and the message says where; nothing is touched.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    RunTicket Start(scoped Batch batch, CancellationToken cancel = default);

    /// <summary>Waits until a run is over.</summary>
    /// <param name="run">What <see cref="Start"/> returned; each run is awaited once, in order.</param>
    /// <returns>What it yielded; the picks are valid until the second start after the run's, logits until the next.</returns>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    /// <exception cref="FormatException">A weight (see <see cref="FiniteWeights"/>) or what was computed is not finite.</exception>
    /// <exception cref="InvalidOperationException">The run failed, and the message says at which op and why.</exception>
    RunOutput Await(RunTicket run);
}
