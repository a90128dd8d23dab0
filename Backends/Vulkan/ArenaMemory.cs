namespace MambaRT.Backends.Vulkan;

/// <summary>The values of a plan on the device: the arena, with rows at multiples of 64 bytes, and in memory of the host the logits, end to end.</summary>
internal sealed class ArenaMemory : IDisposable
{
    private const int Alignment = 16;

    private readonly ArenaLayout _layout;
    private readonly int _capacity, _outputs;

    public ArenaMemory(Plan plan, BatchShape shape, VulkanDevice device)
    {
        _layout = LayoutOf(plan);
        // Values begin at multiples of 64 bytes a row of capacity, and so of 256 where that is a multiple of 4.
        _capacity = (Math.Max(shape.Tokens, shape.Outputs) + 3) / 4 * 4;
        _outputs = Math.Max(shape.Outputs, 1);
        foreach (RegisterSpec register in plan.Registers)
            if ((long)(register.Width + Alignment) * _capacity * sizeof(float) > device.Traits.MostBoundBytes)
                throw new NotSupportedException($"{_capacity} rows of {register.Width} values are more than {device.Traits.Name} binds at a time ({device.Traits.MostBoundBytes:N0} bytes); feed smaller chunks.");
        Values = new VulkanBuffer(device, (long)_layout.FloatsPerRow * _capacity * sizeof(float), MemoryPlace.Device, $"the scratch for {_capacity} rows");
        try
        {
            Logits = new VulkanBuffer(device, plan.Logits is null ? 0 : (long)plan.VocabularySize * _outputs * sizeof(float), MemoryPlace.Host, $"the logits of {_outputs} rows");
        }
        catch
        {
            Values.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the values of so many rows, and of one row of logits.</summary>
    public static long BytesOf(Plan plan, int rows) => ((long)LayoutOf(plan).FloatsPerRow * rows + plan.VocabularySize) * sizeof(float);

    public VulkanBuffer Values { get; }

    public VulkanBuffer Logits { get; }

    /// <summary>Bytes on the device.</summary>
    public long Bytes => Values.Bytes;

    /// <summary>Where a value lies.</summary>
    public RowsPlace this[Activation a]
    {
        get
        {
            int offset = _layout.Offset(a.Register), stride = _layout.Stride(a.Register);
            return offset < 0 ? new RowsPlace(Logits, Logits.Whole, a.Offset, stride, a.Width)
                : new RowsPlace(Values, new BufferSlice(Values.Handle, (long)offset * _capacity * sizeof(float), (long)stride * _capacity * sizeof(float)), a.Offset, stride, a.Width);
        }
    }

    /// <summary>Where the values of a plan lie.</summary>
    public static ArenaLayout LayoutOf(Plan plan) => new(plan, width => (width + Alignment - 1) / Alignment * Alignment);

    public void Dispose()
    {
        Values.Dispose();
        Logits.Dispose();
    }
}
