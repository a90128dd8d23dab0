using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT.Backends.Cuda;

/// <summary>The weights of a plan on the device: projections and tables in their forms, vectors and small matrices as float32.</summary>
internal sealed unsafe class DeviceWeights : IDisposable
{
    private readonly CudaDeviceMemory?[] _memory;
    private readonly WeightPointer[] _pointers;
    private readonly WeightForm[] _forms;

    public DeviceWeights(Plan plan, IWeightSource source, CudaStream stream, LoadOptions options, CancellationToken cancel)
    {
        var views = new TensorView[plan.Weights.Length];
        _memory = new CudaDeviceMemory?[views.Length];
        _pointers = new WeightPointer[views.Length];
        _forms = new WeightForm[views.Length];
        long needed = 0;
        for (int i = 0; i < views.Length; i++)
        {
            WeightSpec spec = plan.Weights[i];
            if (!source.TryGet(spec.Name, out views[i])) throw new FormatException($"Tensor '{spec.Name}' is missing. Re-convert the model.");
            _forms[i] = FormOf(spec, views[i]);
            needed += BytesOf(spec, _forms[i], views[i]).Total;
        }
        try
        {
            using var ring = new UploadRing(stream);
            var finite = new FiniteWeights(plan, views, options.Subject);
            var multiplied = new HashSet<int>();
            foreach (Op op in plan.Ops)
                if (op is LinearOp linear) multiplied.Add(linear.Weight.Index);
            long done = 0;
            for (int i = 0; i < views.Length; i++)
            {
                cancel.ThrowIfCancellationRequested();
                if (multiplied.Contains(i)) Refusal ??= NotFinite(finite, i, views[i].Rows);   // its rows come from memory once for this and for the upload
                Place(i, plan.Weights[i], views[i], ring);
                options.Progress?.Report(new LoadProgress("uploading", done += BytesOf(plan.Weights[i], _forms[i], views[i]).Total, needed));
            }
            stream.Synchronize("uploading the weights");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Why no run can be right: a matrix that is multiplied by is not finite; null where all are. As on other backends a model opens all the same.</summary>
    public FormatException? Refusal { get; }

    /// <summary>Bytes on the device.</summary>
    public long Bytes => _memory.Sum(m => m?.Bytes ?? 0);

    public WeightPointer this[WeightRef weight] => _pointers[weight.Index];

    public WeightForm FormOf(WeightRef weight) => _forms[weight.Index];

    public ulong Vector(WeightRef weight) => _pointers[weight.Index].Data;

    public ulong Vector(WeightRef? weight) => weight is WeightRef w ? Vector(w) : 0;

    public void Dispose()
    {
        foreach (CudaDeviceMemory? memory in _memory) memory?.Dispose();
    }

    private static FormatException? NotFinite(FiniteWeights finite, int weight, int rows)
    {
        try
        {
            finite.Check(new WeightRef(weight), 0, rows);
            return null;
        }
        catch (FormatException e)
        {
            return e;
        }
    }

    /// <summary>The form of a weight.</summary>
    public static WeightForm FormOf(WeightSpec spec, TensorView view) => spec.IsDecoded ? new WeightForm("F32", WeightLayout.AsStored) : WeightForm.For(view.Type, spec.Name);

    /// <summary>Scales begin on a multiple of 256 bytes behind the values; a kernel may read up to 16 bytes past the last.</summary>
    public static (long Data, long Scales, long Total) BytesOf(WeightSpec spec, WeightForm form, TensorView view)
    {
        (long data, long scales) = spec.IsDecoded ? (spec.Count * sizeof(float), 0) : form.Bytes(view);
        return (data, scales, (data + 255) / 256 * 256 + scales + 16);
    }

    private void Place(int i, WeightSpec spec, TensorView view, UploadRing ring)
    {
        (long data, long scales, long total) = BytesOf(spec, _forms[i], view);
        var memory = new CudaDeviceMemory(total, $"tensor '{spec.Name}'");
        _memory[i] = memory;
        ulong apart = scales == 0 ? 0 : memory.Address + (ulong)(data + 255) / 256 * 256;
        _pointers[i] = new WeightPointer { Data = memory.Address, Scales = apart, Rows = view.Rows, Columns = view.Columns, Stride = data / view.Rows };
        if (spec.IsDecoded)
        {
            ring.Send(memory.Address, data, sizeof(float) * (long)view.Columns, (from, piece) => Decode(view, from, piece));
            return;
        }
        switch (_forms[i].Layout)
        {
            case WeightLayout.AsStored:
                ring.Send(memory.Address, data, 1, (from, piece) => Stored(view, from, piece));
                break;
            case WeightLayout.Padded:
                ring.Send(memory.Address, data, WeightForm.PaddedBlock, (from, piece) => Pad(view, from, piece));
                break;
            case WeightLayout.Repacked:
                ring.Send(memory.Address, data, view.Columns, (from, piece) => Repack(view, from, piece));
                ring.Send(apart, scales, view.Columns / 32 * sizeof(ushort), (from, piece) => RepackScales(view, from, piece));
                break;
            default:
                ring.Send(memory.Address, data, view.Columns, (from, piece) => Expand(view, from / view.Columns, piece, scales: false));
                long scaleBytes = view.Columns / 16 * sizeof(float);
                ring.Send(apart, scales, scaleBytes, (from, piece) => Expand(view, from / scaleBytes, piece, scales: true));
                break;
        }
    }

    private static void Stored(TensorView view, long from, Span<byte> piece) => new ReadOnlySpan<byte>((byte*)view.Address + from, piece.Length).CopyTo(piece);

    private static void Decode(TensorView view, long from, Span<byte> piece)
    {
        Span<float> values = MemoryMarshal.Cast<byte, float>(piece);
        int row = (int)(from / sizeof(float) / view.Columns);
        for (int at = 0; at < values.Length; at += view.Columns, row++) view.DecodeRow(row, values.Slice(at, view.Columns));
    }

    private static void Pad(TensorView view, long from, Span<byte> piece)
    {
        int block = view.Type.BlockBytes;
        byte* next = (byte*)view.Address + from / WeightForm.PaddedBlock * block;
        for (int at = 0; at < piece.Length; at += WeightForm.PaddedBlock, next += block)
        {
            new ReadOnlySpan<byte>(next, block).CopyTo(piece[at..]);
            piece.Slice(at + block, WeightForm.PaddedBlock - block).Clear();
        }
    }

    private static void Repack(TensorView view, long from, Span<byte> piece)
    {
        const int Block = 34, Values = 32;
        byte* block = (byte*)view.Address + from / Values * Block;
        for (int at = 0; at < piece.Length; at += Values, block += Block) new ReadOnlySpan<byte>(block + 2, Values).CopyTo(piece[at..]);
    }

    private static void RepackScales(TensorView view, long from, Span<byte> piece)
    {
        const int Block = 34;
        byte* block = (byte*)view.Address + from / sizeof(ushort) * Block;
        foreach (ref ushort scale in MemoryMarshal.Cast<byte, ushort>(piece))
        {
            scale = *(ushort*)block;
            block += Block;
        }
    }

    private static void Expand(TensorView view, long firstRow, Span<byte> piece, bool scales)
    {
        int columns = view.Columns, unit = scales ? columns / 16 * sizeof(float) : columns, rows = piece.Length / unit;
        fixed (byte* to = piece)
        {
            byte* start = to;
            Parallel.For(0, rows, () => (new float[columns], new sbyte[columns], new float[columns / 16]), (row, _, room) =>
            {
                WeightExpansion.Expand(view.Type, view.Row((int)firstRow + row), room.Item1, room.Item2, room.Item3);
                ReadOnlySpan<byte> made = scales ? MemoryMarshal.AsBytes(room.Item3.AsSpan()) : MemoryMarshal.AsBytes(room.Item2.AsSpan());
                made.CopyTo(new Span<byte>(start + (long)row * unit, unit));
                return room;
            }, _ => { });
        }
    }
}
