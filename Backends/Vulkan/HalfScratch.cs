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
    private readonly VulkanDevice _device;

    /// <summary>Bytes of each buffer.</summary>
    private readonly record struct Sizes(long Rows, long Weights, long Powers, long WeightPowers);

    public HalfScratch(Plan plan, DeviceWeights weights, BatchShape shape, VulkanDevice device)
    {
        _device = device;
        Sizes sizes = SizesOf(plan, weight => weights[weight].Form, Math.Max(shape.Tokens, shape.Outputs), device);
        if (sizes.Rows == 0) return;
        try
        {
            _rows = new VulkanBuffer(device, sizes.Rows, MemoryPlace.Device, "activations of 16 bits");
            if (sizes.Weights > 0) _weights = new VulkanBuffer(device, sizes.Weights, MemoryPlace.Device, "weights of 16 bits");
            if (sizes.Powers > 0) _powers = new VulkanBuffer(device, sizes.Powers, MemoryPlace.Device, "powers of two of activations");
            if (sizes.WeightPowers > 0) _weightPowers = new VulkanBuffer(device, sizes.WeightPowers, MemoryPlace.Device, "powers of two of weights");
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
    public bool Splits(WeightPlace place) => Splits(place.Form, _device);

    /// <summary>Whether weights are brought to halves before they are multiplied.</summary>
    public static bool BringsToHalves(WeightPlace place) => BringsToHalves(place.Form);

    /// <summary>Whether a product of so many rows goes by matrices.</summary>
    public bool Takes(WeightPlace place, int rows) => _rows is not null && rows > StepDispatches.MostRows && CanTake(place.Form, place.Columns, _device);

    /// <summary>Halves from one row to the next.</summary>
    public static int StrideOf(int columns) => (columns + Padding - 1) / Padding * Padding;

    /// <summary>Bytes that batches of so many rows take.</summary>
    /// <param name="plan">The network.</param>
    /// <param name="formOf">The form of a weight; null where it is missing.</param>
    /// <param name="rows">Tokens, or outputs where these are more.</param>
    /// <param name="device">Whose memory.</param>
    public static long BytesOf(Plan plan, Func<WeightRef, WeightForm?> formOf, int rows, VulkanDevice device)
    {
        Sizes sizes = SizesOf(plan, formOf, rows, device);
        return sizes.Rows + sizes.Weights + sizes.Powers + sizes.WeightPowers;
    }

    public void Dispose()
    {
        _rows?.Dispose();
        _weights?.Dispose();
        _powers?.Dispose();
        _weightPowers?.Dispose();
    }

    /// <summary>What the products that go by matrices take; nothing where none does.</summary>
    private static Sizes SizesOf(Plan plan, Func<WeightRef, WeightForm?> formOf, long count, VulkanDevice device)
    {
        long rowBytes = 0, weightBytes = 0, powers = 0, weightPowers = 0;
        foreach (Op op in plan.Ops)
        {
            if (op is not LinearOp linear || formOf(linear.Weight) is not { } form || !CanTake(form, linear.X.Width, device)) continue;
            bool split = Splits(form, device), brought = BringsToHalves(form);
            rowBytes = Math.Max(rowBytes, StrideOf(linear.X.Width) * (split ? Parts : 1) * sizeof(ushort));
            if (split) powers = count;
            if (brought) weightBytes = Math.Max(weightBytes, (long)linear.Output.Width * linear.X.Width * sizeof(ushort));
            if (split && brought) weightPowers = Math.Max(weightPowers, linear.Output.Width);
        }
        if (device.Matrices == MatrixUse.None || count <= StepDispatches.MostRows || count * rowBytes > device.Traits.MostBoundBytes) return default;
        return new Sizes(count * rowBytes, Math.Min(weightBytes, Math.Min(MostWeightBytes, device.MostWeightBytes)), powers * sizeof(float), weightPowers * sizeof(float));
    }

    private static bool Splits(WeightForm form, VulkanDevice device) => form.Kernels == "BF16" || (device.IsExact && form.Kernels == "F16");

    private static bool BringsToHalves(WeightForm form) => form.Kernels != "F16";

    /// <summary>Weights that are halves, or become such to be multiplied: F32 has digits that halves have not, and quantized ones keep float32 beside them where that is asked for.</summary>
    private static bool CanTake(WeightForm form, int columns, VulkanDevice device) => form.IsQuantized ? !device.IsExact : form.Kernels is "F16" or "BF16" && columns % 8 == 0;
}
