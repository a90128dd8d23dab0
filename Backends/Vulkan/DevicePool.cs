namespace MambaRT.Backends.Vulkan;

/// <summary>Hands out device memory and owns it: small parts share buffers, as drivers allow only so many allocations; large ones have buffers of their own, so that nothing stays unused.</summary>
internal sealed class DevicePool(VulkanDevice device) : IDisposable
{
    private const long BlockBytes = 16 << 20, LargeBytes = 1 << 20;

    /// <summary>What every device's bindings may begin at.</summary>
    private const int Alignment = 256;

    private readonly List<VulkanBuffer> _blocks = [];
    private VulkanBuffer? _shared;
    private long _used;

    /// <summary>Bytes of all buffers.</summary>
    public long Bytes => _blocks.Sum(b => b.Bytes);

    /// <summary>Hands out a part.</summary>
    /// <param name="bytes">How many.</param>
    /// <param name="expected">How many will be asked for from now on, this part included: no more are allocated ahead.</param>
    /// <param name="what">What they are for, in errors.</param>
    public (VulkanBuffer Owner, BufferSlice Slice) Take(long bytes, long expected, string what)
    {
        long padded = (bytes + Alignment - 1) / Alignment * Alignment;
        if (padded >= LargeBytes)
        {
            VulkanBuffer own = Allocate(padded, what);
            return (own, new BufferSlice(own.Handle, 0, bytes));
        }
        if (_shared is null || _used + padded > _shared.Bytes) (_shared, _used) = (Allocate(Math.Max(padded, Math.Min(BlockBytes, expected)), what), 0);
        var slice = new BufferSlice(_shared.Handle, _used, bytes);
        _used += padded;
        return (_shared, slice);
    }

    /// <summary>The most that is taken for parts of so many bytes: each is padded, what is left at the end of a block is not used, and the last block may be a whole one.</summary>
    public static long MostBytes(long bytes, int parts) => bytes + (long)parts * Alignment + bytes / (BlockBytes / LargeBytes) + Math.Min(bytes, BlockBytes);

    private VulkanBuffer Allocate(long bytes, string what)
    {
        var block = new VulkanBuffer(device, bytes, MemoryPlace.Device, what);
        _blocks.Add(block);
        return block;
    }

    public void Dispose()
    {
        foreach (VulkanBuffer block in _blocks) block.Dispose();
        _blocks.Clear();
    }
}
