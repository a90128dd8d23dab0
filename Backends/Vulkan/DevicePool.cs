namespace MambaRT.Backends.Vulkan;

/// <summary>Hands out device memory from few large buffers, as drivers allow only so many allocations, and owns them.</summary>
internal sealed class DevicePool(VulkanDevice device) : IDisposable
{
    private const long BlockBytes = 64 << 20;

    /// <summary>What every device's bindings may begin at.</summary>
    private const int Alignment = 256;

    private readonly List<VulkanBuffer> _blocks = [];
    private long _used;

    /// <summary>Bytes of all buffers.</summary>
    public long Bytes => _blocks.Sum(b => b.Bytes);

    /// <summary>Hands out a part; what is left of a buffer that is too small stays unused.</summary>
    /// <param name="bytes">How many.</param>
    /// <param name="expected">How many will be asked for from now on, this part included: no more are allocated ahead.</param>
    /// <param name="what">What they are for, in errors.</param>
    public (VulkanBuffer Owner, BufferSlice Slice) Take(long bytes, long expected, string what)
    {
        long padded = (bytes + Alignment - 1) / Alignment * Alignment;
        if (_blocks.Count == 0 || _used + padded > _blocks[^1].Bytes)
        {
            long block = Math.Max(padded, Math.Min(Math.Min(BlockBytes, device.Traits.MostAllocatedBytes), expected));
            _blocks.Add(new VulkanBuffer(device, block, MemoryPlace.Device, what));
            _used = 0;
        }
        var slice = new BufferSlice(_blocks[^1].Handle, _used, bytes);
        _used += padded;
        return (_blocks[^1], slice);
    }

    public void Dispose()
    {
        foreach (VulkanBuffer block in _blocks) block.Dispose();
        _blocks.Clear();
    }
}
