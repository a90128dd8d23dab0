using MambaRT.Formats;

namespace MambaRT.Backends.Cuda;

/// <summary>The weights of a plan on the device: projections and tables in their forms, vectors and small matrices as float32.</summary>
internal sealed class DeviceWeights : IDisposable
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
            if (!spec.TryFind(source, out views[i])) throw new FormatException($"Tensor '{spec.Name}' is missing. Re-convert the model.");
            _forms[i] = WeightForm.For(spec, views[i]);
            needed += BytesOf(_forms[i], views[i]).Total;
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
                if (multiplied.Contains(i)) Refusal ??= finite.Refusal(new WeightRef(i));   // its rows come from memory once for this and for the upload
                Place(i, plan.Weights[i], views[i], ring);
                options.Progress?.Report(new LoadProgress("uploading", done += BytesOf(_forms[i], views[i]).Total, needed));
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

    /// <summary>Scales begin on a multiple of 256 bytes behind the values; a kernel may read up to 16 bytes past the last.</summary>
    public static (long Data, long Scales, long Total) BytesOf(WeightForm form, TensorView view)
    {
        (long data, long scales) = form.Bytes(view);
        return (data, scales, (data + 255) / 256 * 256 + scales + 16);
    }

    private void Place(int i, WeightSpec spec, TensorView view, UploadRing ring)
    {
        WeightForm form = _forms[i];
        (long data, long scales, long total) = BytesOf(form, view);
        var memory = new CudaDeviceMemory(total, $"tensor '{spec.Name}'");
        _memory[i] = memory;
        ulong apart = scales == 0 ? 0 : memory.Address + (ulong)(data + 255) / 256 * 256;
        _pointers[i] = new WeightPointer { Data = memory.Address, Scales = apart, Rows = view.Rows, Columns = view.Columns, Stride = data / view.Rows };
        ring.Send(memory.Address, data, form.DataUnit(view), (from, piece) => form.WriteData(view, from, piece));
        if (scales > 0) ring.Send(apart, scales, form.ScalesUnit(view), (from, piece) => form.WriteScales(view, from, piece));
    }
}
