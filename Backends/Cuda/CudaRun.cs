namespace MambaRT.Backends.Cuda;

/// <summary>A run that was started, and what came of it.</summary>
/// <param name="sequences">The most of a batch.</param>
internal sealed class CudaRun(int sequences)
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

    /// <summary>Whether the kernel that makes logits looks whether they are finite.</summary>
    public bool ChecksLogits { get; private set; }

    /// <summary>Whether nothing but picked tokens comes back, so that the next run may be started meanwhile.</summary>
    public bool OnlyPicks => _picks > 0 && !WantsLogits;

    /// <summary>What went wrong.</summary>
    public Exception? Failure { get; set; }

    /// <summary>See <see cref="RunOutput.IsFinite"/>.</summary>
    public bool? IsFinite { get; set; }

    public ReadOnlySpan<SequenceSpan> Spans => _spans.AsSpan(0, _sequences);

    public ReadOnlySpan<int> Picked => _picked.AsSpan(0, _picks);

    /// <summary>Takes down what is needed of a batch when its run is over.</summary>
    public void Begin(long number, int turn, scoped in Batch batch, int outputs, bool checksLogits)
    {
        batch.Sequences.CopyTo(_spans);
        (Rows, _sequences, _picks) = (batch.Tokens.Length, batch.Sequences.Length, batch.Picks.Length);
        (Number, Turn, Outputs, WantsLogits, ChecksLogits) = (number, turn, outputs, batch.WantsLogits, checksLogits);
        (Failure, IsFinite) = (null, null);
    }

    /// <summary>Takes over what the device has picked.</summary>
    /// <exception cref="InvalidOperationException">There was nothing to pick from in a row of finite logits.</exception>
    public void End(HostPicked results, HostLogits logits, SlotTable table)
    {
        if (WantsLogits) IsFinite = ChecksLogits ? logits.AreFinite : null;
        else if (_picks > 0) IsFinite = results.AreFinite(Turn);
        if (_picks == 0) return;
        ReadOnlySpan<int> tokens = results.Read(Turn);
        for (int i = 0; i < _picks; i++)
        {
            _picked[i] = Math.Max(tokens[i], -1);
            if (_spans[i].Outputs == OutputRows.None) continue;
            if (tokens[i] == -1) table.TakeBack(_spans[i]);   // its text had ended
            if (tokens[i] < -1 && IsFinite != false) throw HostPicks.NothingToPick(i);
        }
    }
}
