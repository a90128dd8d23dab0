namespace MambaRT.Serving;

/// <summary>How a <see cref="ModelHost"/> serves. Immutable.</summary>
public sealed record ModelHostOptions
{
    /// <summary>Answers that are computed at the same time, each with a state of its own, up to 65,536; further ones wait.</summary>
    public int MaxSequences { get; init; } = 64;

    /// <summary>Requests that may wait; a further one is refused by <see cref="QueueFullException"/>.</summary>
    public int MaxQueue { get; init; } = 256;

    /// <summary>Whether <see cref="ModelHost.Step()"/> drives the model, on the caller's thread, instead of a thread of the host's own. What steps compute in is made with the host, so that none waits for it.</summary>
    public bool Manual { get; init; }

    /// <summary>
    /// Whether an answer is bit for bit the one it is alone. Sequences are then decoded one after the other, so that the weights are read once for each: with
    /// n answers at a time a token takes n times as long as alone, and of the kept states (<see cref="ModelOptions.Checkpoints"/>) only those are begun at that a lone prompt has, too, after whole chunks. Without, tokens are those within the bounds of each op, and differ where two of them are as likely.
    /// </summary>
    public bool Deterministic { get; init; }

    /// <summary>Refuses settings that mean nothing, each by its name.</summary>
    /// <exception cref="ArgumentException">A setting is out of range.</exception>
    public void Validate()
    {
        if (MaxSequences is < 1 or > 65_536) throw new ArgumentException($"MaxSequences must lie between 1 and 65536; found {MaxSequences}.", nameof(MaxSequences));
        if (MaxQueue < 0) throw new ArgumentException($"MaxQueue must be 0 or more; found {MaxQueue}.", nameof(MaxQueue));
    }
}
