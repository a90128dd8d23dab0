using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>The running batch as shaders read it: counts, tokens, slots and spans, filled before each run in the device's memory where the host sees that, else in memory of the host and copied in front of the run.</summary>
internal sealed class BatchTable : IDisposable
{
    /// <summary>Words in front: three counts, then where each list begins (common.glsl).</summary>
    private const int HeaderWords = 16;

    private readonly int _slots, _starts, _lengths, _outputRows, _tokens, _sequenceOf;
    private readonly BatchShape _shape;
    private readonly VulkanBuffer? _host;
    private readonly Vk _api;

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
        _api = device.Api;
        Device = new VulkanBuffer(device, bytes, MemoryPlace.Device, "the table of a batch");
        if (Device.IsMapped) return;
        try
        {
            _host = new VulkanBuffer(device, bytes, MemoryPlace.Host, "the table of a batch");
        }
        catch
        {
            Device.Dispose();
            throw;
        }
    }

    /// <summary>Where shaders read it.</summary>
    public VulkanBuffer Device { get; }

    public long Bytes => Device.Bytes;

    /// <summary>Writes a validated batch down; the one before must have run. Nothing is read there, as the host reads a device's memory slowly.</summary>
    public void Fill(scoped in Batch batch, int outputs, SlotTable table)
    {
        ReadOnlySpan<int> header = [batch.Tokens.Length, outputs, batch.Sequences.Length, _slots, _starts, _lengths, _outputRows, _tokens, _sequenceOf];
        header.CopyTo(List(0, HeaderWords));
        Span<int> tokens = List(_tokens, _shape.Tokens), sequenceOf = List(_sequenceOf, _shape.Tokens), outputRows = List(_outputRows, Math.Max(_shape.Outputs, 1));
        Span<int> slots = List(_slots, _shape.Sequences), starts = List(_starts, _shape.Sequences), lengths = List(_lengths, _shape.Sequences);
        batch.Tokens.CopyTo(tokens);
        int next = 0;
        for (int i = 0; i < batch.Sequences.Length; i++)
        {
            SequenceSpan span = batch.Sequences[i];
            int token = batch.Tokens[span.Start];
            (slots[i], starts[i], lengths[i]) = (table.Resolve(span, ref token).Slot, span.Start, span.Count);
            tokens[span.Start] = token;
            sequenceOf.Slice(span.Start, span.Count).Fill(i);
            for (int row = span.Count - span.OutputCount; row < span.Count; row++) outputRows[next++] = span.Start + row;
        }
    }

    /// <summary>Copies it to the device, if it is not there.</summary>
    public unsafe void Send(CommandBuffer commands)
    {
        if (_host is null) return;
        var region = new BufferCopy(0, 0, (ulong)Bytes);
        _api.CmdCopyBuffer(commands, _host.Handle, Device.Handle, 1, &region);
    }

    public void Dispose()
    {
        _host?.Dispose();
        Device.Dispose();
    }

    private Span<int> List(int at, int count) => (_host ?? Device).Span<int>((long)at * sizeof(int), count);
}
