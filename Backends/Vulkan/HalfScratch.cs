namespace MambaRT.Backends.Vulkan;

/// <summary>Room for what products by matrices read as halves: rows of activations, and weights that are stored otherwise, of one product at a time.</summary>
internal sealed class HalfScratch : IDisposable
{
    /// <summary>What rows are padded to, in halves: columns that the shaders take at a time.</summary>
    private const int Padding = 64;

    /// <summary>Bytes of weights at a time: larger ones come in parts.</summary>
    private const long MostWeightBytes = 64 << 20;

    private readonly VulkanBuffer? _rows, _weights;

    public HalfScratch(Plan plan, DeviceWeights weights, BatchShape shape, VulkanDevice device)
    {
        long count = Math.Max(shape.Tokens, shape.Outputs), rowBytes = 0, weightBytes = 0;
        foreach (Op op in plan.Ops)
        {
            if (op is not LinearOp linear || !CanTake(weights[linear.Weight])) continue;
            WeightPlace place = weights[linear.Weight];
            rowBytes = Math.Max(rowBytes, StrideOf(place.Columns) * sizeof(ushort));
            if (place.Form.IsQuantized) weightBytes = Math.Max(weightBytes, (long)place.Rows * place.Columns * sizeof(ushort));
        }
        if (device.Matrices == MatrixUse.None || count <= StepDispatches.MostRows || rowBytes == 0 || count * rowBytes > device.Traits.MostBoundBytes) return;
        try
        {
            _rows = new VulkanBuffer(device, count * rowBytes, MemoryPlace.Device, "activations of 16 bits");
            if (weightBytes > 0) _weights = new VulkanBuffer(device, Math.Min(weightBytes, Math.Min(MostWeightBytes, device.MostWeightBytes)), MemoryPlace.Device, "weights of 16 bits");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public long Bytes => (_rows?.Bytes ?? 0) + (_weights?.Bytes ?? 0);

    /// <summary>Where rows lie.</summary>
    public BufferSlice Rows => _rows?.Whole ?? default;

    /// <summary>Where weights lie.</summary>
    public BufferSlice Weights => _weights?.Whole ?? default;

    /// <summary>Whether a product of so many rows goes by matrices.</summary>
    public bool Takes(WeightPlace place, int rows) => _rows is not null && rows > StepDispatches.MostRows && CanTake(place);

    /// <summary>Halves from one row to the next.</summary>
    public static int StrideOf(int columns) => (columns + Padding - 1) / Padding * Padding;

    /// <summary>Most bytes that a model's chunk takes.</summary>
    public static long BytesOf(Plan plan, int rows)
    {
        long widest = 0, largest = 0;
        foreach (Op op in plan.Ops)
            if (op is LinearOp linear) (widest, largest) = (Math.Max(widest, StrideOf(linear.X.Width)), Math.Max(largest, (long)linear.X.Width * linear.Output.Width));
        return rows * widest * sizeof(ushort) + Math.Min(largest * sizeof(ushort), MostWeightBytes);
    }

    public void Dispose()
    {
        _rows?.Dispose();
        _weights?.Dispose();
    }

    /// <summary>Weights that are halves, or become such to be multiplied: BF16 and F32 have a range or digits that halves have not.</summary>
    private static bool CanTake(WeightPlace place) => place.Form.IsQuantized || (place.Form.Kernels == "F16" && place.Columns % 8 == 0);
}
