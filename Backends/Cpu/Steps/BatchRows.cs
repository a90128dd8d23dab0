namespace MambaRT.Backends.Cpu;

/// <summary>The batch that is being run: its rows, sequences and outputs.</summary>
internal sealed class BatchRows(BatchShape shape)
{
    private readonly int[] _tokens = new int[shape.Tokens];
    private readonly SequenceSpan[] _spans = new SequenceSpan[shape.Sequences];
    private int _sequences;

    /// <summary>Rows fed.</summary>
    public int Tokens { get; private set; }

    /// <summary>Rows of logits wanted.</summary>
    public int Outputs { get; private set; }

    public ReadOnlySpan<SequenceSpan> Spans => _spans.AsSpan(0, _sequences);

    public ReadOnlySpan<int> Ids => _tokens.AsSpan(0, Tokens);

    public int Token(int row) => _tokens[row];

    public int Count(RowDomain domain) => domain == RowDomain.Tokens ? Tokens : Outputs;

    /// <summary>Takes over a batch that was checked.</summary>
    public void Set(scoped in Batch batch, int outputs, SlotTable table)
    {
        batch.Tokens.CopyTo(_tokens);
        for (int i = 0; i < batch.Sequences.Length; i++) _spans[i] = table.Resolve(batch.Sequences[i], ref _tokens[batch.Sequences[i].Start]);
        _sequences = batch.Sequences.Length;
        Tokens = batch.Tokens.Length;
        Outputs = outputs;
    }
}
