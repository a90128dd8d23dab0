namespace MambaRT.Runtime;

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
/// <param name="Start">First row in <see cref="Batch.Tokens"/>.</param>
/// <param name="Count">Rows, at least 1.</param>
/// <param name="Outputs">Which rows yield logits.</param>
public readonly record struct SequenceSpan(int Slot, int Start, int Count, OutputRows Outputs)
{
    /// <summary>Rows of logits this span yields.</summary>
    public int OutputCount => Outputs switch { OutputRows.None => 0, OutputRows.Last => 1, _ => Count };
}

/// <summary>Capacities that an executable is compiled for.</summary>
/// <param name="Tokens">Rows fed at most.</param>
/// <param name="Sequences">Spans at most.</param>
/// <param name="Outputs">Rows of logits at most.</param>
public readonly record struct BatchShape(int Tokens, int Sequences, int Outputs);

/// <summary>Ragged rows of several sequences, end to end: no padding, no masks.</summary>
public readonly ref struct Batch
{
    /// <summary>Token ids, one a row.</summary>
    public required ReadOnlySpan<int> Tokens { get; init; }

    /// <summary>The sequences, which tile <see cref="Tokens"/> in order.</summary>
    public required ReadOnlySpan<SequenceSpan> Sequences { get; init; }

    /// <summary>Checks everything a device relies on; allocates nothing when all is well.</summary>
    /// <returns>Rows of logits that the batch yields.</returns>
    /// <exception cref="ArgumentException">The batch does not fit the shape, tiles badly, or names an unknown token or slot.</exception>
    public int Validate(BatchShape shape, int vocabulary, int slots)
    {
        if (Tokens.Length > shape.Tokens || Sequences.Length > shape.Sequences)
            throw new ArgumentException($"A batch of {Tokens.Length} tokens in {Sequences.Length} sequences was run on an executable for {shape.Tokens} in {shape.Sequences}; compile a larger shape.");
        int next = 0, outputs = 0;
        for (int i = 0; i < Sequences.Length; i++)
        {
            SequenceSpan span = Sequences[i];
            if (span.Start != next || span.Count < 1 || span.Count > Tokens.Length - next)
                throw new ArgumentException($"Sequence {i} covers rows {span.Start} to {(long)span.Start + span.Count - 1}; sequences must tile the {Tokens.Length} rows in order.");
            if (span.Slot < 1 || span.Slot > slots)
                throw new ArgumentException($"Sequence {i} names slot {span.Slot}; this model has slots 1 to {slots}.");
            for (int j = 0; j < i; j++)
                if (Sequences[j].Slot == span.Slot) throw new ArgumentException($"Sequences {j} and {i} share slot {span.Slot}; a slot may stand once in a batch.");
            next += span.Count;
            outputs += span.OutputCount;
        }
        if (next != Tokens.Length) throw new ArgumentException($"The sequences cover {next} of {Tokens.Length} rows; they must cover all.");
        if (outputs > shape.Outputs)
            throw new ArgumentException($"A batch that yields {outputs} rows of logits was run on an executable for {shape.Outputs}; compile a larger shape.");
        foreach (int token in Tokens)
            if ((uint)token >= (uint)vocabulary) throw new ArgumentException($"Token {token} is outside the vocabulary of {vocabulary}; ids run from 0 to {vocabulary - 1}.");
        return outputs;
    }
}
