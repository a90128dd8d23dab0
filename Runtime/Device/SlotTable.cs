namespace MambaRT.Devices;

/// <summary>What every backend keeps of its slots beside their states: the position of each and the token picked last; and the check of a batch against both.</summary>
/// <remarks>One thread at a time, as its model. Neither check nor bookkeeping allocates; the check takes time in proportion to the batch.</remarks>
public sealed class SlotTable
{
    private const long Undefined = -1;

    private Entry[] _entries = new Entry[1];
    private ulong _stamp;

    /// <summary>Slots, the scratch slot 0 not counted.</summary>
    public int Count => _entries.Length - 1;

    /// <summary>Adds slots up to <paramref name="count"/>; those added are at position 0.</summary>
    public void Grow(int count)
    {
        int old = _entries.Length;
        if (count < old) return;
        Array.Resize(ref _entries, count + 1);
        _entries.AsSpan(old).Fill(new Entry(0));
    }

    /// <summary>Refuses slots that do not fit a budget.</summary>
    /// <param name="count">Slots asked for.</param>
    /// <param name="slotBytes">Bytes of one.</param>
    /// <param name="budget">Bytes for all.</param>
    /// <exception cref="StateBudgetException">They take more.</exception>
    public static void EnsureWithin(int count, long slotBytes, long budget)
    {
        if (slotBytes > 0 && count > budget / slotBytes)
            throw new StateBudgetException($"A state takes {slotBytes:N0} bytes and the budget for states is {budget:N0}, which has no room for {count} of them; dispose sessions that are no longer needed, or raise ModelOptions.StateBudget.");
    }

    /// <summary>Tokens that a slot has absorbed, or null where a run that failed has left it undefined.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such slot.</exception>
    public long? PositionOf(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slot);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slot, Count);
        return _entries[slot].Position is >= 0 and long position ? position : null;
    }

    /// <summary>Sets a slot's position, as clearing, copying and importing do.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The position is negative.</exception>
    public void Set(int slot, long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        _entries[slot] = new Entry(position);
    }

    /// <summary>Copies position and last pick of a slot that must be at <paramref name="position"/>.</summary>
    /// <exception cref="InvalidOperationException">It is at another.</exception>
    public void Copy(int from, int to, long position)
    {
        Ensure(from, position);
        _entries[to] = _entries[from];
    }

    /// <summary>Refuses a slot that is at another position.</summary>
    /// <exception cref="InvalidOperationException">It is.</exception>
    public void Ensure(int slot, long position)
    {
        long found = PositionOf(slot) ?? throw Lost(slot);
        if (found != position) throw new InvalidOperationException($"Slot {slot} has absorbed {found} tokens, and was asked for at {position}.");
    }

    /// <summary>Forgets what a slot was, until it is cleared, copied over or imported.</summary>
    public void Lose(int slot) => _entries[slot] = new Entry(Undefined);

    /// <summary>Forgets the slots of a run that failed.</summary>
    public void Lose(scoped ReadOnlySpan<SequenceSpan> sequences)
    {
        foreach (SequenceSpan span in sequences) Lose(span.Slot);
    }

    /// <summary>Notes the token that a run picked for a slot.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="token">The token.</param>
    /// <param name="ends">Whether it ends the text.</param>
    public void SetLastPick(int slot, int token, bool ends) => (_entries[slot].Picked, _entries[slot].HasEnded) = (token, ends);

    /// <summary>For a host-side backend, which looks up what a span's token stands for before it runs it.</summary>
    /// <param name="span">Checked.</param>
    /// <param name="token">Its first token; a <see cref="Batch.LastPick"/> is replaced.</param>
    /// <returns>The span to run: in the scratch slot where its text has ended.</returns>
    public SequenceSpan Resolve(SequenceSpan span, ref int token)
    {
        ref Entry entry = ref _entries[span.Slot];
        entry.IsLeft = token == Batch.LastPick && entry.HasEnded;
        if (token == Batch.LastPick) token = entry.Picked;
        return entry.IsLeft ? span with { Slot = 0 } : span;
    }

    /// <summary>Whether the last run that was resolved has left a slot as it was.</summary>
    public bool IsLeft(int slot) => _entries[slot].IsLeft;

    /// <summary>For a device that finds out by itself that a text has ended: the run that was started has left a slot as it was.</summary>
    public void TakeBack(SequenceSpan span) => _entries[span.Slot].Position -= span.Count;

    /// <summary>Checks everything a device relies on that runs pieces of plans too.</summary>
    /// <inheritdoc cref="Check(in Batch, BatchShape, int, int)"/>
    /// <param name="batch">What is to be run.</param>
    /// <param name="shape">The executable's capacities.</param>
    /// <param name="plan">What it runs.</param>
    public int Check(scoped in Batch batch, BatchShape shape, Plan plan)
    {
        if (plan.Logits is null && batch.Picks.Length > 0)
            throw new ArgumentException("A batch came with picks to a piece of a plan that ends before its head; give them to the last piece.");
        return Check(batch, shape, plan.VocabularySize, plan.CarriedInWidth);
    }

    /// <summary>Checks everything a device relies on.</summary>
    /// <param name="batch">What is to be run.</param>
    /// <param name="shape">The executable's capacities.</param>
    /// <param name="vocabulary">Token ids that there are.</param>
    /// <param name="carried">Floats a row that another piece of the plan has to have handed on.</param>
    /// <returns>Rows of logits that the batch yields.</returns>
    /// <exception cref="ArgumentException">The batch does not fit the shape, tiles badly, or names an unknown token, slot or position.</exception>
    /// <exception cref="InvalidOperationException">A slot's state was lost in a run that failed.</exception>
    public int Check(scoped in Batch batch, BatchShape shape, int vocabulary, int carried = 0)
    {
        ReadOnlySpan<int> tokens = batch.Tokens;
        ReadOnlySpan<SequenceSpan> sequences = batch.Sequences;
        if (tokens.Length > shape.Tokens || sequences.Length > shape.Sequences)
            throw new ArgumentException($"A batch of {tokens.Length} tokens in {sequences.Length} sequences was run on an executable for {shape.Tokens} in {shape.Sequences}; compile a larger shape.");
        if (batch.Picks.Length > 0 && batch.Picks.Length != sequences.Length)
            throw new ArgumentException($"A batch of {sequences.Length} sequences came with {batch.Picks.Length} picks; give one for each, or none.");
        if (batch.Carried.Length != (long)tokens.Length * carried)
            throw new ArgumentException($"A batch of {tokens.Length} rows came with {batch.Carried.Length} carried values; this plan takes {carried} a row from the piece before it.");
        _stamp++;
        int next = 0, outputs = 0;
        for (int i = 0; i < sequences.Length; i++)
        {
            CheckSpan(batch, i, next, vocabulary);
            next += sequences[i].Count;
            outputs += sequences[i].OutputCount;
        }
        if (next != tokens.Length) throw new ArgumentException($"The sequences cover {next} of {tokens.Length} rows; they must cover all.");
        if (outputs > shape.Outputs)
            throw new ArgumentException($"A batch that yields {outputs} rows of logits was run on an executable for {shape.Outputs}; compile a larger shape.");
        foreach (TokenPick pick in batch.Picks) pick.Validate();
        return outputs;
    }

    /// <summary>Notes that a run was started: its slots are where it will leave them, so that the next may be checked before it is over.</summary>
    public void Advance(scoped in Batch batch)
    {
        bool picks = batch.Picks.Length > 0;
        foreach (SequenceSpan span in batch.Sequences)
        {
            ref Entry entry = ref _entries[span.Slot];
            entry.Position = span.Position + (entry.IsLeft ? 0 : span.Count);
            entry.HasPick = picks && span.Outputs != OutputRows.None;
        }
    }

    private void CheckSpan(scoped in Batch batch, int i, int next, int vocabulary)
    {
        ReadOnlySpan<SequenceSpan> sequences = batch.Sequences;
        ReadOnlySpan<int> tokens = batch.Tokens;
        SequenceSpan span = sequences[i];
        if (span.Start != next || span.Count < 1 || span.Count > tokens.Length - next)
            throw new ArgumentException($"Sequence {i} covers rows {span.Start} to {(long)span.Start + span.Count - 1}; sequences must tile the {tokens.Length} rows in order.");
        if (span.Slot < 1 || span.Slot > Count)
            throw new ArgumentException($"Sequence {i} names slot {span.Slot}; this model has slots 1 to {Count}.");
        ref Entry entry = ref _entries[span.Slot];
        if (entry.Stamp == _stamp)
        {
            int j = 0;
            while (sequences[j].Slot != span.Slot) j++;
            throw new ArgumentException($"Sequences {j} and {i} share slot {span.Slot}; a slot may stand once in a batch.");
        }
        entry.Stamp = _stamp;
        if (entry.Position == Undefined) throw Lost(span.Slot);
        if (entry.Position != span.Position)
            throw new ArgumentException($"Sequence {i} goes on at position {span.Position}; its slot {span.Slot} has absorbed {entry.Position} tokens.");
        foreach (int token in tokens.Slice(span.Start, span.Count))
        {
            if ((uint)token < (uint)vocabulary) continue;
            if (token == Batch.LastPick && span.Count == 1 && entry.HasPick && !batch.Picks.IsEmpty && !batch.WantsLogits && span.Outputs != OutputRows.None) continue;
            throw new ArgumentException(token == Batch.LastPick
                ? $"Token {token} stands for the last pick; that needs a span of one row with a pick of its own, a batch that wants no logits, and a run before that picked a token for slot {span.Slot}."
                : $"Token {token} is outside the vocabulary of {vocabulary}; ids run from 0 to {vocabulary - 1}.");
        }
    }

    private static InvalidOperationException Lost(int slot) =>
        new($"The state of slot {slot} was lost in a run that failed or was cancelled; clear it, copy another over it, or import one.");

    private struct Entry(long position)
    {
        public long Position = position;
        public ulong Stamp;
        public int Picked = -1;
        public bool HasPick, HasEnded, IsLeft;
    }
}
