namespace MambaRT.Devices;

/// <summary>Names a run that was started.</summary>
/// <param name="Number">Counts the runs of a model from 1.</param>
public readonly record struct RunTicket(long Number);

/// <summary>What a run yielded.</summary>
/// <param name="logits">See <see cref="Logits"/>.</param>
/// <param name="picked">See <see cref="Picked"/>.</param>
/// <param name="carried">See <see cref="Carried"/>.</param>
public readonly ref struct RunOutput(ReadOnlySpan<float> logits, ReadOnlySpan<int> picked, ReadOnlySpan<float> carried = default)
{
    /// <summary>Logits [outputs, vocabulary] of the rows that were wanted, in order; empty where the batch asked for none.</summary>
    public ReadOnlySpan<float> Logits { get; } = logits;

    /// <summary>Whether all logits that are handed out, or that a token was picked from, are finite; null where that was not looked at.</summary>
    public bool? IsFinite { get; init; }

    /// <summary>The token picked for each sequence, in order; -1 for one that wanted no row, or that was left as it is (<see cref="Batch.LastPick"/>). Empty where the batch asked for none.</summary>
    public ReadOnlySpan<int> Picked { get; } = picked;

    /// <summary>
    /// What a plan that was cut hands on to the next piece, for every row of the batch: [rows, width] of each of <see cref="Plan.CarriedOut"/>, one after the other.
    /// Valid as logits are; empty for a plan that ends with them.
    /// </summary>
    public ReadOnlySpan<float> Carried { get; } = carried;
}
