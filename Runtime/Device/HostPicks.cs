namespace MambaRT.Devices;

/// <summary>The picks of an executable whose logits lie on the host, kept for the two runs that may be in flight.</summary>
/// <remarks>One thread at a time; allocates nothing after the first pick.</remarks>
/// <param name="sequences">The most of a batch.</param>
/// <param name="neverPicked">See <see cref="LoadOptions.NeverPicked"/>.</param>
/// <param name="ends">See <see cref="LoadOptions.EndTokens"/>.</param>
public sealed class HostPicks(int sequences, IReadOnlyList<int> neverPicked, IReadOnlyList<int> ends)
{
    private readonly TokenPicker _picker = new();
    private readonly int[][] _picked = [new int[sequences], new int[sequences]];
    private readonly int[] _counts = new int[2];
    private readonly bool[] _finite = new bool[2];
    private float[] _allowed = [];
    private int _next, _row, _outputs;   // of the batch at hand

    /// <summary>Picks for each sequence of a batch that was run, and notes it in the table.</summary>
    /// <param name="run">The run's number, of which consecutive ones are kept apart.</param>
    /// <param name="batch">What was run.</param>
    /// <param name="logits">[outputs, vocabulary].</param>
    /// <param name="table">The model's slots.</param>
    /// <exception cref="InvalidOperationException">Nothing can be picked from a row.</exception>
    public void Pick(long run, scoped in Batch batch, ReadOnlySpan<float> logits, SlotTable table)
    {
        Begin(run, batch);
        while (!IsOver(batch)) PickNext(run, batch, logits, table);
    }

    /// <summary>Begins to pick for the sequences of a batch one by one.</summary>
    /// <param name="run">As for <see cref="Pick"/>.</param>
    /// <param name="batch">As there.</param>
    public void Begin(long run, scoped in Batch batch)
    {
        (_counts[run & 1], _finite[run & 1]) = (batch.Picks.Length, true);
        (_next, _row, _outputs) = (0, 0, 0);
        foreach (SequenceSpan span in batch.Sequences) _outputs += span.OutputCount;
    }

    /// <summary>Picks for the next sequence, while there is one (<see cref="IsOver"/>).</summary>
    /// <inheritdoc cref="Pick"/>
    public void PickNext(long run, scoped in Batch batch, ReadOnlySpan<float> logits, SlotTable table)
    {
        int i = _next++;
        SequenceSpan span = batch.Sequences[i];
        _row += span.OutputCount;
        ref int picked = ref _picked[run & 1][i];
        picked = -1;
        if (span.Outputs == OutputRows.None || table.IsLeft(span.Slot)) return;
        int vocabulary = logits.Length / _outputs;   // this one's is among them
        ReadOnlySpan<float> own = logits.Slice((_row - 1) * vocabulary, vocabulary);
        _finite[run & 1] &= Logits.AreFinite(own);
        picked = _picker.Pick(Allowed(own, batch.Picks[i].NoEnds), batch.Picks[i], span.Position + span.Count);
        if (picked < 0) throw NothingToPick(i);
        table.SetLastPick(span.Slot, picked, IsEnd(picked));
    }

    /// <summary>Whether there is a pick for each sequence of the batch at hand.</summary>
    public bool IsOver(scoped in Batch batch) => _next == batch.Picks.Length;

    /// <summary>What was picked in one of the last two runs.</summary>
    public ReadOnlySpan<int> Of(RunTicket run) => _picked[run.Number & 1].AsSpan(0, _counts[run.Number & 1]);

    /// <summary>Whether all that was picked from in one of the last two runs was finite.</summary>
    public bool AreFinite(RunTicket run) => _finite[run.Number & 1];

    /// <summary>What is said of a row that no token can be picked from.</summary>
    public static InvalidOperationException NothingToPick(int sequence) =>
        new($"No token can be picked for sequence {sequence}: every logit is NaN or negative infinity. Check the model's weights.");

    private bool IsEnd(int token)
    {
        for (int i = 0; i < ends.Count; i++)
            if (ends[i] == token) return true;
        return false;
    }

    private ReadOnlySpan<float> Allowed(ReadOnlySpan<float> logits, bool noEnds)
    {
        if (neverPicked.Count == 0 && (!noEnds || ends.Count == 0)) return logits;
        if (_allowed.Length != logits.Length) _allowed = new float[logits.Length];
        logits.CopyTo(_allowed);
        for (int i = 0; i < neverPicked.Count; i++) _allowed[neverPicked[i]] = float.NegativeInfinity;
        for (int i = 0; noEnds && i < ends.Count; i++) _allowed[ends[i]] = float.NegativeInfinity;
        return _allowed;
    }
}
