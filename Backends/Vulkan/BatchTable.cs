namespace MambaRT.Backends.Vulkan;

/// <summary>The running batch as shaders read it: counts, tokens, slots and spans, filled in memory of the host and copied in front of each run.</summary>
internal sealed class BatchTable : IDisposable
{
    /// <summary>Words in front: three counts, then where each list begins (common.glsl).</summary>
    private const int HeaderWords = 16;

    private readonly int _slots, _starts, _lengths, _outputRows, _tokens, _sequenceOf;
    private readonly BatchShape _shape;

    public BatchTable(BatchShape shape, VulkanDevice device)
    {
        _shape = shape;
        int outputs = Math.Max(shape.Outputs, 1);
        _slots = HeaderWords;
        _starts = _slots + shape.Sequences;
        _lengths = _starts + shape.Sequences;
        _outputRows = _lengths + shape.Sequences;
        _tokens = _outputRows + outputs;
        _sequenceOf = _tokens + shape.Tokens;
        long bytes = (_sequenceOf + (long)shape.Tokens) * sizeof(int);
        Host = new VulkanBuffer(device, bytes, MemoryPlace.Host, "the table of a batch");
        try
        {
            Device = new VulkanBuffer(device, bytes, MemoryPlace.Device, "the table of a batch");
        }
        catch
        {
            Host.Dispose();
            throw;
        }
        Span<int> header = Host.Span<int>(0, HeaderWords);
        header.Clear();
        ReadOnlySpan<int> lists = [_slots, _starts, _lengths, _outputRows, _tokens, _sequenceOf];
        lists.CopyTo(header[3..]);
    }

    /// <summary>Where it is filled.</summary>
    public VulkanBuffer Host { get; }

    /// <summary>Where shaders read it.</summary>
    public VulkanBuffer Device { get; }

    public long Bytes => Device.Bytes;

    /// <summary>Writes a validated batch down; the one before must have run.</summary>
    public void Fill(scoped in Batch batch, int outputs, SlotTable table)
    {
        Span<int> counts = List(0, 3);
        (counts[0], counts[1], counts[2]) = (batch.Tokens.Length, outputs, batch.Sequences.Length);
        Span<int> tokens = List(_tokens, _shape.Tokens), sequenceOf = List(_sequenceOf, _shape.Tokens), outputRows = List(_outputRows, Math.Max(_shape.Outputs, 1));
        Span<int> slots = List(_slots, _shape.Sequences), starts = List(_starts, _shape.Sequences), lengths = List(_lengths, _shape.Sequences);
        batch.Tokens.CopyTo(tokens);
        int next = 0;
        for (int i = 0; i < batch.Sequences.Length; i++)
        {
            SequenceSpan span = batch.Sequences[i];
            (slots[i], starts[i], lengths[i]) = (table.Resolve(span, ref tokens[span.Start]).Slot, span.Start, span.Count);
            sequenceOf.Slice(span.Start, span.Count).Fill(i);
            for (int row = span.Count - span.OutputCount; row < span.Count; row++) outputRows[next++] = span.Start + row;
        }
    }

    public void Dispose()
    {
        Host.Dispose();
        Device.Dispose();
    }

    private Span<int> List(int at, int count) => Host.Span<int>((long)at * sizeof(int), count);
}
