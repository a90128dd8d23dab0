namespace MambaRT.Backends.Vulkan;

/// <summary>
/// Room for what products by matrices read as halves: rows of activations, and weights that are stored otherwise, of one product at a time. Where activations keep the precision of
/// float32, a row is two rows of halves one behind the other, and there are the powers of two that results of rows are multiplied by (split.comp).
/// </summary>
internal sealed class HalfScratch : IDisposable
{
    /// <summary>What rows are padded to, in halves: columns that the shaders take at a time.</summary>
    private const int Padding = 64;

    /// <summary>Halves whose sum a value is.</summary>
    private const int Parts = 2;

    /// <summary>Bytes of weights at a time: larger ones come in parts.</summary>
    private const long MostWeightBytes = 64 << 20;

    private readonly VulkanBuffer? _rows, _weights, _powers, _weightPowers;
    private readonly bool _exact;

    public HalfScratch(Plan plan, DeviceWeights weights, BatchShape shape, VulkanDevice device)
    {
        _exact = device.IsExact;
        long count = Math.Max(shape.Tokens, shape.Outputs), rowBytes = 0, weightBytes = 0, powers = 0, weightPowers = 0;
        foreach (Op op in plan.Ops)
        {
            if (op is not LinearOp linear || !CanTake(weights[linear.Weight])) continue;
            WeightPlace place = weights[linear.Weight];
            bool split = Splits(place);
            rowBytes = Math.Max(rowBytes, StrideOf(place.Columns) * (split ? Parts : 1) * sizeof(ushort));
            if (split) powers = count;
            if (BringsToHalves(place)) weightBytes = Math.Max(weightBytes, (long)place.Rows * place.Columns * sizeof(ushort));
            if (split && BringsToHalves(place)) weightPowers = Math.Max(weightPowers, place.Rows);
        }
        if (device.Matrices == MatrixUse.None || count <= StepDispatches.MostRows || rowBytes == 0 || count * rowBytes > device.Traits.MostBoundBytes) return;
        try
        {
            _rows = new VulkanBuffer(device, count * rowBytes, MemoryPlace.Device, "activations of 16 bits");
            if (weightBytes > 0) _weights = new VulkanBuffer(device, Math.Min(weightBytes, Math.Min(MostWeightBytes, device.MostWeightBytes)), MemoryPlace.Device, "weights of 16 bits");
            if (powers > 0) _powers = new VulkanBuffer(device, powers * sizeof(float), MemoryPlace.Device, "powers of two of activations");
            if (weightPowers > 0) _weightPowers = new VulkanBuffer(device, weightPowers * sizeof(float), MemoryPlace.Device, "powers of two of weights");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public long Bytes => (_rows?.Bytes ?? 0) + (_weights?.Bytes ?? 0) + (_powers?.Bytes ?? 0) + (_weightPowers?.Bytes ?? 0);

    /// <summary>Where rows lie.</summary>
    public BufferSlice Rows => _rows?.Whole ?? default;

    /// <summary>Where weights lie.</summary>
    public BufferSlice Weights => _weights?.Whole ?? default;

    /// <summary>What results of rows are multiplied by.</summary>
    public BufferSlice Powers => _powers?.Whole ?? default;

    /// <summary>The same of rows of weights.</summary>
    public BufferSlice WeightPowers => _weightPowers?.Whole ?? default;

    /// <summary>Whether x is split beside these weights: BF16 has no digits to spare, and halves not its range.</summary>
    public bool Splits(WeightPlace place) => place.Form.Kernels == "BF16" || (_exact && place.Form.Kernels == "F16");

    /// <summary>Whether weights are brought to halves before they are multiplied.</summary>
    public static bool BringsToHalves(WeightPlace place) => place.Form.Kernels != "F16";

    /// <summary>Whether a product of so many rows goes by matrices.</summary>
    public bool Takes(WeightPlace place, int rows) => _rows is not null && rows > StepDispatches.MostRows && CanTake(place);

    /// <summary>Halves from one row to the next.</summary>
    public static int StrideOf(int columns) => (columns + Padding - 1) / Padding * Padding;

    /// <summary>Most bytes that a model's chunk takes, whatever its weights are.</summary>
    public static long BytesOf(Plan plan, int rows)
    {
        long widest = 0, largest = 0, outputs = 0;
        foreach (Op op in plan.Ops)
            if (op is LinearOp linear) (widest, largest, outputs) = (Math.Max(widest, StrideOf(linear.X.Width)), Math.Max(largest, (long)linear.X.Width * linear.Output.Width), Math.Max(outputs, linear.Output.Width));
        return rows * widest * Parts * sizeof(ushort) + Math.Min(largest * sizeof(ushort), MostWeightBytes) + (rows + outputs) * sizeof(float);
    }

    public void Dispose()
    {
        _rows?.Dispose();
        _weights?.Dispose();
        _powers?.Dispose();
        _weightPowers?.Dispose();
    }

    /// <summary>Weights that are halves, or become such to be multiplied: F32 has digits that halves have not, and quantized ones keep float32 beside them where that is asked for.</summary>
    private bool CanTake(WeightPlace place) => place.Form.IsQuantized ? !_exact : place.Form.Kernels is "F16" or "BF16" && place.Columns % 8 == 0;
}
