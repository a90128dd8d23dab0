using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>
/// The running batch as shaders read it: counts, tokens, slots, spans and how to pick, filled before each run in the device's memory where the host sees that, else in memory of the host
/// and copied in front of the run. Two runs may be in flight, so there are two.
/// </summary>
internal sealed class BatchTable : IDisposable
{
    /// <summary>Words in front: three counts, then where each list begins (common.glsl), slots first, and where a step in one dispatch has its values.</summary>
    private const int HeaderWords = 16;

    /// <summary>Words of how a token is picked (pick.comp).</summary>
    private const int PickWords = 9;

    /// <summary>What every device's bindings may begin at.</summary>
    private const int Alignment = 256;

    private readonly int _slots, _starts, _lengths, _outputRows, _tokens, _sequenceOf, _picks;
    private readonly long _turnBytes;
    private readonly VulkanBuffer _device;
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
        _picks = _sequenceOf + shape.Tokens;
        long bytes = (_picks + (long)PickWords * shape.Sequences) * sizeof(int);
        _turnBytes = (bytes + Alignment - 1) / Alignment * Alignment;
        _api = device.Api;
        _device = new VulkanBuffer(device, 2 * _turnBytes, MemoryPlace.Device, "the table of a batch");
        if (_device.IsMapped) return;
        try
        {
            _host = new VulkanBuffer(device, 2 * _turnBytes, MemoryPlace.Host, "the table of a batch");
        }
        catch
        {
            _device.Dispose();
            throw;
        }
    }

    public long Bytes => _device.Bytes;

    /// <summary>Where shaders read that of a turn, 0 or 1.</summary>
    public BufferSlice Memory(int turn) => _device.Whole.Part(turn * _turnBytes, _turnBytes);

    /// <summary>Writes a validated batch down; the one before in that turn must have run. Nothing is read there, as the host reads a device's memory slowly.</summary>
    /// <param name="turn">The turn, 0 or 1.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="outputs">Rows of outputs.</param>
    /// <param name="hidden">Tokens that are not picked.</param>
    /// <param name="place">Where a step in one dispatch has its values (<see cref="RelayStep.NextPlace"/>).</param>
    public void Fill(int turn, scoped in Batch batch, int outputs, HiddenTokens hidden, int place)
    {
        int sequences = batch.Sequences.Length;
        ReadOnlySpan<int> header = [batch.Tokens.Length, outputs, sequences, _slots, _starts, _lengths, _outputRows, _tokens, _sequenceOf, _picks, place];
        header.CopyTo(List(turn, 0, HeaderWords));
        batch.Tokens.CopyTo(List(turn, _tokens, _shape.Tokens));
        Span<int> sequenceOf = List(turn, _sequenceOf, _shape.Tokens), outputRows = List(turn, _outputRows, Math.Max(_shape.Outputs, 1));
        Span<int> slots = List(turn, _slots, sequences), starts = List(turn, _starts, sequences), lengths = List(turn, _lengths, sequences), picks = List(turn, _picks, PickWords * sequences);
        int next = 0;
        for (int i = 0; i < sequences; i++)
        {
            SequenceSpan span = batch.Sequences[i];
            (slots[i], starts[i], lengths[i]) = (span.Slot, span.Start, span.Count);
            sequenceOf.Slice(span.Start, span.Count).Fill(i);
            for (int row = span.Count - span.OutputCount; row < span.Count; row++) outputRows[next++] = span.Start + row;
            if (!batch.Picks.IsEmpty) WritePick(batch.Picks[i], span, next - 1, hidden, picks.Slice(PickWords * i, PickWords));
        }
    }

    /// <summary>Copies that of a turn to the device, if it is not there.</summary>
    public unsafe void Send(int turn, CommandBuffer commands)
    {
        if (_host is null) return;
        var region = new BufferCopy((ulong)(turn * _turnBytes), (ulong)(turn * _turnBytes), (ulong)_turnBytes);
        _api.CmdCopyBuffer(commands, _host.Handle, _device.Handle, 1, &region);
    }

    private static void WritePick(in TokenPick pick, SequenceSpan span, int row, HiddenTokens hidden, Span<int> to)
    {
        ulong random = CounterRandom.Next(pick.Seed, span.Position + span.Count);
        to[0] = span.Outputs == OutputRows.None ? -1 : row;
        to[1] = span.Slot;
        to[2] = pick.TopK;
        to[3] = BitConverter.SingleToInt32Bits(pick.TopP);
        to[4] = (int)TokenPicker.LeastWeight(pick.MinP);
        to[5] = hidden.Hidden(pick);
        to[6] = BitConverter.SingleToInt32Bits(pick.IsGreedy ? 0 : TokenPicker.Scale(pick.Temperature));
        (to[7], to[8]) = ((int)(uint)random, (int)(uint)(random >> 32));
    }

    public void Dispose()
    {
        _host?.Dispose();
        _device.Dispose();
    }

    private Span<int> List(int turn, int at, int count) => (_host ?? _device).Span<int>(turn * _turnBytes + (long)at * sizeof(int), count);
}
