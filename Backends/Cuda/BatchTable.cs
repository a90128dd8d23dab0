namespace MambaRT.Backends.Cuda;

/// <summary>The running batch as the kernels read it: counts, tokens, slots and spans, filled in page-locked memory and sent in one copy. Two runs may be in flight, so the host has two.</summary>
internal sealed unsafe class BatchTable : IDisposable
{
    private const int CountBytes = 16, PartBytes = 16;

    private readonly CudaRegisteredHostMemory _host;
    private readonly CudaDeviceMemory _device;
    private readonly int _tokens, _sequences, _outputs;

    public BatchTable(BatchShape shape)
    {
        (_tokens, _sequences, _outputs) = (shape.Tokens, shape.Sequences, Math.Max(shape.Outputs, 1));
        long bytes = CountBytes + (long)_sequences * (sizeof(ulong) + sizeof(PickRecord) + 2 * sizeof(int)) + (2L * _tokens + _outputs) * sizeof(int);
        bytes = (bytes + 2 * PartBytes - 1) / PartBytes * PartBytes;
        _host = new CudaRegisteredHostMemory(2 * bytes);
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

    /// <summary>How tokens are picked, a <see cref="PickRecord"/> a sequence.</summary>
    public ulong Picks => At(PicksAt);

    public long Bytes => _device.Bytes;

    /// <summary>Where the device reads what was filled.</summary>
    /// <param name="turn">0 or 1: which of the host's two.</param>
    public ulong Host(int turn) => _host.Device + (ulong)(turn * Bytes);

    /// <summary>Pieces of sixteen bytes up to the tokens of so many rows, which is all that is read where each row is a sequence.</summary>
    public int Parts(int rows) => (int)((TokensAt + rows * sizeof(int) + PartBytes - 1) / PartBytes);

    private static long SlotsAt => CountBytes;
    private long PicksAt => SlotsAt + (long)_sequences * sizeof(ulong);
    private long StartsAt => PicksAt + (long)_sequences * sizeof(PickRecord);
    private long LengthsAt => StartsAt + (long)_sequences * sizeof(int);
    private long OutputRowsAt => LengthsAt + (long)_sequences * sizeof(int);
    private long TokensAt => OutputRowsAt + (long)_outputs * sizeof(int);
    private long SequenceOfAt => TokensAt + (long)_tokens * sizeof(int);

    /// <summary>Writes a validated batch down; the one before in that turn must have run.</summary>
    public void Fill(int turn, scoped in Batch batch, int outputs, DeviceSlots slots, PickLists lists)
    {
        Span<int> counts = Part<int>(turn, 0, 3);
        counts[0] = batch.Tokens.Length;
        counts[1] = outputs;
        counts[2] = batch.Sequences.Length;
        batch.Tokens.CopyTo(Part<int>(turn, TokensAt, _tokens));
        Span<ulong> states = Part<ulong>(turn, SlotsAt, _sequences);
        Span<PickRecord> picks = Part<PickRecord>(turn, PicksAt, _sequences);
        Span<int> starts = Part<int>(turn, StartsAt, _sequences), lengths = Part<int>(turn, LengthsAt, _sequences);
        Span<int> sequenceOf = Part<int>(turn, SequenceOfAt, _tokens), outputRows = Part<int>(turn, OutputRowsAt, _outputs);
        int next = 0;
        for (int i = 0; i < batch.Sequences.Length; i++)
        {
            SequenceSpan span = batch.Sequences[i];
            states[i] = slots.Address(span.Slot);
            starts[i] = span.Start;
            lengths[i] = span.Count;
            sequenceOf.Slice(span.Start, span.Count).Fill(i);
            for (int row = span.Count - span.OutputCount; row < span.Count; row++) outputRows[next++] = span.Start + row;
            int picked = batch.Picks.IsEmpty || span.Outputs == OutputRows.None ? -1 : next - 1;
            picks[i] = picked < 0 ? new PickRecord { Row = picked, Home = states[i] } : RecordOf(batch.Picks[i], span.Position + span.Count, picked, states[i], lists);
        }
    }

    /// <summary>Puts the copy on a stream.</summary>
    public void Send(int turn, CudaStream stream) => stream.CopyToDevice(_device.Address, _host.Address + turn * Bytes, Bytes, "the table of a batch");

    private static PickRecord RecordOf(in TokenPick pick, long position, int row, ulong home, PickLists lists) => new()
    {
        Random = CounterRandom.Next(pick.Seed, position),
        Home = home,
        Scale = pick.IsGreedy ? 0 : TokenPicker.Scale(pick.Temperature),
        TopP = pick.TopP,
        TopK = pick.TopK,
        Least = TokenPicker.LeastWeight(pick.MinP),
        Row = row,
        Hidden = lists.Hidden(pick),
    };

    private Span<T> Part<T>(int turn, long at, int count) where T : unmanaged => _host.Span<T>(turn * Bytes + at, count);

    public void Dispose()
    {
        _host.Dispose();
        _device.Dispose();
    }

    private ulong At(long offset) => _device.Address + (ulong)offset;
}
