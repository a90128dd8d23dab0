namespace MambaRT.Backends.Cuda;

/// <summary>The running batch as the kernels read it: counts, tokens, slots and spans, filled in page-locked memory and sent in one copy.</summary>
internal sealed unsafe class BatchTable : IDisposable
{
    private const int CountBytes = 16, PartBytes = 16;

    private readonly CudaPageLockedHostMemory _host;
    private readonly CudaDeviceMemory _device;
    private readonly int _tokens, _sequences, _outputs;

    public BatchTable(BatchShape shape)
    {
        (_tokens, _sequences, _outputs) = (shape.Tokens, shape.Sequences, Math.Max(shape.Outputs, 1));
        long bytes = CountBytes + (long)_sequences * (sizeof(ulong) + 2 * sizeof(int)) + (2L * _tokens + _outputs) * sizeof(int) + PartBytes;
        _host = new CudaPageLockedHostMemory(bytes);
        try
        {
            _device = new CudaDeviceMemory(bytes, "the table of a batch");
        }
        catch
        {
            _host.Dispose();
            throw;
        }
        Pointers = new BatchPointers
        {
            Counts = _device.Address,
            Slots = At(SlotsAt),
            Starts = At(StartsAt),
            Lengths = At(LengthsAt),
            Tokens = At(TokensAt),
            SequenceOf = At(SequenceOfAt),
            OutputRows = At(OutputRowsAt),
        };
    }

    /// <summary>Where the kernels find it.</summary>
    public BatchPointers Pointers { get; }

    public long Bytes => _device.Bytes;

    /// <summary>Where it is filled; the device can read there.</summary>
    public ulong Host => (ulong)_host.Address;

    /// <summary>Pieces of sixteen bytes up to the tokens of so many rows, which is all that is read where each row is a sequence.</summary>
    public int Parts(int rows) => (int)((TokensAt + rows * sizeof(int) + PartBytes - 1) / PartBytes);

    private static long SlotsAt => CountBytes;
    private long StartsAt => SlotsAt + (long)_sequences * sizeof(ulong);
    private long LengthsAt => StartsAt + (long)_sequences * sizeof(int);
    private long OutputRowsAt => LengthsAt + (long)_sequences * sizeof(int);
    private long TokensAt => OutputRowsAt + (long)_outputs * sizeof(int);
    private long SequenceOfAt => TokensAt + (long)_tokens * sizeof(int);

    /// <summary>Writes a validated batch down; the one before must have run.</summary>
    public void Fill(scoped in Batch batch, int outputs, DeviceSlots slots)
    {
        Span<int> counts = _host.Span<int>(0, 3);
        counts[0] = batch.Tokens.Length;
        counts[1] = outputs;
        counts[2] = batch.Sequences.Length;
        batch.Tokens.CopyTo(_host.Span<int>(TokensAt, _tokens));
        Span<ulong> states = _host.Span<ulong>(SlotsAt, _sequences);
        Span<int> starts = _host.Span<int>(StartsAt, _sequences), lengths = _host.Span<int>(LengthsAt, _sequences);
        Span<int> sequenceOf = _host.Span<int>(SequenceOfAt, _tokens), outputRows = _host.Span<int>(OutputRowsAt, _outputs);
        int next = 0;
        for (int i = 0; i < batch.Sequences.Length; i++)
        {
            SequenceSpan span = batch.Sequences[i];
            states[i] = slots.Address(span.Slot);
            starts[i] = span.Start;
            lengths[i] = span.Count;
            ref int token = ref _host.Span<int>(TokensAt, _tokens)[span.Start];
            if (token == Batch.LastPick) token = slots.Table.LastPick(span.Slot);
            sequenceOf.Slice(span.Start, span.Count).Fill(i);
            for (int row = span.Count - span.OutputCount; row < span.Count; row++) outputRows[next++] = span.Start + row;
        }
    }

    /// <summary>Puts the copy on a stream.</summary>
    public void Send(CudaStream stream) => stream.CopyToDevice(_device.Address, _host.Address, _host.Bytes, "the table of a batch");

    public void Dispose()
    {
        _host.Dispose();
        _device.Dispose();
    }

    private ulong At(long offset) => _device.Address + (ulong)offset;
}
