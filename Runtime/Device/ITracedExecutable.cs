namespace MambaRT.Devices;

/// <summary>An executable that can show what each op yields: an optional capability, asked for by a type test.</summary>
public interface ITracedExecutable : IExecutable
{
    /// <summary>Runs a batch as <see cref="IExecutable.Start"/> does, with the same results, and shows every op's output; all ops have been seen when it returns.</summary>
    /// <param name="batch">As for <see cref="IExecutable.Start"/>.</param>
    /// <param name="observer">Called after each op. It may take its time: a traced run need not be fast, and may allocate.</param>
    /// <param name="cancel">Looked at before each op.</param>
    /// <returns>What to await, as of any run.</returns>
    RunTicket StartTraced(scoped Batch batch, IOpObserver observer, CancellationToken cancel = default);
}
