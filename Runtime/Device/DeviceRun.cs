namespace MambaRT.Devices;

/// <summary>A run that a device was given, and what came of it: for backends whose device picks tokens by itself.</summary>
/// <remarks>One thread at a time; allocates nothing.</remarks>
/// <param name="sequences">The most of a batch.</param>
public sealed class DeviceRun(int sequences)
{
    private readonly SequenceSpan[] _spans = new SequenceSpan[sequences];
    private readonly int[] _picked = new int[sequences];
    private int _sequences, _picks;

    /// <summary>Counts the model's runs.</summary>
    public long Number { get; private set; }

    /// <summary>Which of the host's two tables and results it uses.</summary>
    public int Turn { get; private set; }

    /// <summary>Rows fed.</summary>
    public int Rows { get; private set; }

    /// <summary>Rows of logits.</summary>
    public int Outputs { get; private set; }

    /// <summary>Whether they are handed out.</summary>
    public bool WantsLogits { get; private set; }

    /// <summary>Whether nothing but picked tokens comes back, so that the next run may be started meanwhile.</summary>
    public bool OnlyPicks => _picks > 0 && !WantsLogits;

    /// <summary>What went wrong.</summary>
    public Exception? Failure { get; set; }

    /// <summary>See <see cref="RunOutput.IsFinite"/>.</summary>
    public bool? IsFinite { get; set; }

    /// <summary>The sequences of the batch.</summary>
    public ReadOnlySpan<SequenceSpan> Spans => _spans.AsSpan(0, _sequences);

    /// <summary>The token of each sequence, -1 where none was asked for; empty for a batch without picks.</summary>
    public ReadOnlySpan<int> Picked => _picked.AsSpan(0, _picks);

    /// <summary>Takes down what is needed of a batch when its run is over.</summary>
    /// <param name="number">Of the run.</param>
    /// <param name="turn">0 or 1.</param>
    /// <param name="batch">Checked.</param>
    /// <param name="outputs">Rows of logits that it yields.</param>
    public void Begin(long number, int turn, scoped in Batch batch, int outputs)
    {
        batch.Sequences.CopyTo(_spans);
        (Rows, _sequences, _picks) = (batch.Tokens.Length, batch.Sequences.Length, batch.Picks.Length);
        (Number, Turn, Outputs, WantsLogits) = (number, turn, outputs, batch.WantsLogits);
        (Failure, IsFinite) = (null, null);
    }

    /// <summary>Takes over what the device has picked.</summary>
    /// <param name="tokens">One a sequence: an id, -1 for none, less where there was nothing to pick from.</param>
    /// <param name="isFinite">Whether the logits are finite; null where that was not looked at.</param>
    /// <param name="table">The model's slots.</param>
    /// <exception cref="InvalidOperationException">There was nothing to pick from in a row of finite logits.</exception>
    public void End(scoped ReadOnlySpan<int> tokens, bool? isFinite, SlotTable table)
    {
        IsFinite = isFinite;
        for (int i = 0; i < _picks; i++)
        {
            _picked[i] = Math.Max(tokens[i], -1);
            if (_spans[i].Outputs == OutputRows.None) continue;
            if (tokens[i] == -1) table.TakeBack(_spans[i]);   // its text had ended
            if (tokens[i] < -1 && IsFinite != false) throw HostPicks.NothingToPick(i);
        }
    }
}
