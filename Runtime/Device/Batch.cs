namespace MambaRT.Devices;

/// <summary>Which rows of a sequence yield logits.</summary>
public enum OutputRows : byte
{
    /// <summary>None: the state advances, nothing else.</summary>
    None,
    /// <summary>The last row.</summary>
    Last,
    /// <summary>Every row, for perplexity and for tests.</summary>
    All,
}

/// <summary>One sequence's part of a batch.</summary>
/// <param name="Slot">Its state; each slot at most once in a batch.</param>
/// <param name="Position">Tokens that the slot has absorbed: the position of the span's first row.</param>
/// <param name="Start">First row in <see cref="Batch.Tokens"/>.</param>
/// <param name="Count">Rows, at least 1.</param>
/// <param name="Outputs">Which rows yield logits.</param>
public readonly record struct SequenceSpan(int Slot, long Position, int Start, int Count, OutputRows Outputs)
{
    /// <summary>Rows of logits this span yields.</summary>
    public int OutputCount => Outputs switch { OutputRows.None => 0, OutputRows.Last => 1, _ => Count };
}

/// <summary>Capacities that an executable is compiled for.</summary>
/// <param name="Tokens">Rows fed at most.</param>
/// <param name="Sequences">Spans at most.</param>
/// <param name="Outputs">Rows of logits at most.</param>
public readonly record struct BatchShape(int Tokens, int Sequences, int Outputs)
{
    /// <summary>Whether batches of <paramref name="other"/> fit.</summary>
    public bool Covers(BatchShape other) => Tokens >= other.Tokens && Sequences >= other.Sequences && Outputs >= other.Outputs;
}

/// <summary>Ragged rows of several sequences, end to end: no padding, no masks.</summary>
public readonly ref struct Batch
{
    /// <summary>
    /// Stands for the token that the run before picked for the same slot; one is picked after it, too, and no logits are handed out. Where it ended a text (<see cref="LoadOptions.EndTokens"/>) the
    /// slot is left as it is, and what is picked is -1.
    /// </summary>
    public const int LastPick = -1;

    /// <summary>Creates an empty batch that asks for logits.</summary>
    public Batch()
    {
    }

    /// <summary>Token ids, one a row; or <see cref="LastPick"/>, in a span of one row.</summary>
    public required ReadOnlySpan<int> Tokens { get; init; }

    /// <summary>The sequences, which tile <see cref="Tokens"/> in order.</summary>
    public required ReadOnlySpan<SequenceSpan> Sequences { get; init; }

    /// <summary>How a token is picked from the last row of each sequence; empty: none is picked.</summary>
    public ReadOnlySpan<TokenPick> Picks { get; init; }

    /// <summary>
    /// For a plan that goes on where another was cut: what that one handed on (<see cref="RunOutput.Carried"/>) for the same rows, in float32; empty for a plan that begins
    /// with the tokens.
    /// </summary>
    public ReadOnlySpan<float> Carried { get; init; }

    /// <summary>Whether rows of logits are handed out; a run that only picks leaves them on the device.</summary>
    public bool WantsLogits { get; init; } = true;
}
