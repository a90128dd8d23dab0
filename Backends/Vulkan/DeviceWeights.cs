using MambaRT.Formats;

namespace MambaRT.Backends.Vulkan;

/// <summary>The weights of a plan on the device, in their forms.</summary>
internal sealed class DeviceWeights : IDisposable
{
    private readonly DevicePool _pool;
    private readonly WeightPlace[] _places;

    public DeviceWeights(Plan plan, IWeightSource source, VulkanDevice device, Transfers transfers, LoadOptions options, CancellationToken cancel)
    {
        var views = new TensorView[plan.Weights.Length];
        var forms = new WeightForm[views.Length];
        _places = new WeightPlace[views.Length];
        long needed = 0, done = 0;
        for (int i = 0; i < views.Length; i++)
        {
            WeightSpec spec = plan.Weights[i];
            if (!spec.TryFind(source, out views[i])) throw new FormatException($"Tensor '{spec.Name}' is missing. Re-convert the model.");
            forms[i] = WeightForm.For(spec, views[i]);
            needed += BytesOf(forms[i], views[i]);
        }
        var finite = new FiniteWeights(plan, views, options.Subject);
        var multiplied = new HashSet<int>();
        foreach (Op op in plan.Ops)
            if (op is LinearOp linear) multiplied.Add(linear.Weight.Index);
        _pool = new DevicePool(device);
        try
        {
            for (int i = 0; i < views.Length; i++)
            {
                cancel.ThrowIfCancellationRequested();
                if (multiplied.Contains(i)) Refusal ??= finite.Refusal(new WeightRef(i));   // its rows come from memory once for this and for the upload
                _places[i] = Place(plan.Weights[i], forms[i], views[i], transfers, needed - done);
                options.Progress?.Report(new LoadProgress("uploading", done += BytesOf(forms[i], views[i]), needed));
            }
            transfers.Finish();
        }
        catch
        {
            transfers.Settle();
            Dispose();
            throw;
        }
    }

    /// <summary>Why no run can be right: a matrix that is multiplied by is not finite; null where all are. As on other backends a model opens all the same.</summary>
    public FormatException? Refusal { get; }

    /// <summary>Bytes on the device.</summary>
    public long Bytes => _pool.Bytes;

    /// <summary>Where a weight lies.</summary>
    public WeightPlace this[WeightRef weight] => _places[weight.Index];

    /// <summary>A vector or small matrix, in float32.</summary>
    public BufferSlice Vector(WeightRef weight) => _places[weight.Index].Data;

    public void Dispose() => _pool.Dispose();

    /// <summary>Bytes of a weight on the device, about.</summary>
    public static long BytesOf(WeightForm form, TensorView view)
    {
        (long data, long scales) = form.Bytes(view);
        return data + scales;
    }

    /// <summary>Shaders read whole words, so the last is made whole.</summary>
    private WeightPlace Place(WeightSpec spec, WeightForm form, TensorView view, Transfers transfers, long expected)
    {
        (long data, long scales) = form.Bytes(view);
        string what = $"tensor '{spec.Name}'";
        (VulkanBuffer owner, BufferSlice values) = _pool.Take(Whole(data), expected, what);
        transfers.Send(owner, values.Offset, data, form.DataUnit(view), (from, piece) => form.WriteData(view, from, piece));
        BufferSlice apart = default;
        if (scales > 0)
        {
            (owner, apart) = _pool.Take(Whole(scales), expected - data, what);
            transfers.Send(owner, apart.Offset, scales, form.ScalesUnit(view), (from, piece) => form.WriteScales(view, from, piece));
        }
        return new WeightPlace(form, values, apart, view.Rows, view.Columns, data / view.Rows, scales / view.Rows);
    }

    private static long Whole(long bytes) => (bytes + 15) / 16 * 16;
}
