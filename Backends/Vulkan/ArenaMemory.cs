using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>
/// The values of a plan on the device: the arena, with rows at multiples of 64 bytes. The logits, end to end, lie in memory of the host; those that tokens are picked from, which are read
/// several times, on the device.
/// </summary>
internal sealed class ArenaMemory : IDisposable
{
    private const int Alignment = 16;

    private readonly ArenaLayout _layout;
    private readonly VulkanDevice _device;
    private readonly int _capacity, _outputs;
    private VulkanBuffer? _kept;

    public ArenaMemory(Plan plan, BatchShape shape, VulkanDevice device)
    {
        (_layout, _device) = (LayoutOf(plan), device);
        // Values begin at multiples of 64 bytes a row of capacity, and so of 256 where that is a multiple of 4.
        _capacity = (Math.Max(shape.Tokens, shape.Outputs) + 3) / 4 * 4;
        _outputs = Math.Max(shape.Outputs, 1);
        for (int i = 0; i < plan.Registers.Length; i++)
        {
            int width = plan.Registers[i].Width, rows = _layout.Offset(i) < 0 ? _outputs : _capacity;
            if ((long)(width + Alignment) * rows * sizeof(float) > device.Traits.MostBoundBytes)
                throw new NotSupportedException($"{rows} rows of {width} values are more than {device.Traits.Name} binds at a time ({device.Traits.MostBoundBytes:N0} bytes); feed smaller chunks.");
        }
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

    /// <summary>Logits where the host reads them.</summary>
    public VulkanBuffer Logits { get; }

    /// <summary>Whether logits of what is recorded from now on stay on the device.</summary>
    public bool KeepsLogits { get; set; }

    /// <summary>Logits on the device; there is memory for them from when it is first asked for.</summary>
    public VulkanBuffer KeptLogits => _kept ??= new VulkanBuffer(_device, Logits.Bytes, MemoryPlace.Device, $"the logits of {_outputs} rows on the device");

    /// <summary>Bytes on the device.</summary>
    public long Bytes => Values.Bytes + (_kept?.Bytes ?? 0);

    /// <summary>Where a value lies.</summary>
    public RowsPlace this[Activation a]
    {
        get
        {
            int offset = _layout.Offset(a.Register), stride = _layout.Stride(a.Register);
            if (offset < 0)
            {
                VulkanBuffer logits = KeepsLogits ? KeptLogits : Logits;
                return new RowsPlace(logits, logits.Whole, a.Offset, stride, a.Width);
            }
            return new RowsPlace(Values, new BufferSlice(Values.Handle, (long)offset * _capacity * sizeof(float), (long)stride * _capacity * sizeof(float)), a.Offset, stride, a.Width);
        }
    }

    /// <summary>Brings kept logits to the host.</summary>
    public unsafe void CopyLogits(CommandBuffer commands)
    {
        var region = new BufferCopy(0, 0, (ulong)Logits.Bytes);
        _device.Api.CmdCopyBuffer(commands, KeptLogits.Handle, Logits.Handle, 1, &region);
    }

    /// <summary>Where the values of a plan lie.</summary>
    public static ArenaLayout LayoutOf(Plan plan) => new(plan, width => (width + Alignment - 1) / Alignment * Alignment);

    public void Dispose()
    {
        Values.Dispose();
        Logits.Dispose();
        _kept?.Dispose();
    }
}
