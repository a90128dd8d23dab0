using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>A device's memory for buffers: small ones share blocks, as drivers give few allocations and none as small; large ones have one of their own. Any thread.</summary>
internal sealed class MemoryBlocks(VulkanDevice device)
{
    private const long BlockBytes = 4 << 20, LargeBytes = 1 << 20;

    private readonly List<MemoryBlock> _blocks = [];
    private readonly Lock _taking = new();

    /// <summary>Takes memory.</summary>
    /// <param name="needs">What the driver asks for a buffer.</param>
    /// <param name="place">Where.</param>
    /// <param name="what">What it is for, in errors.</param>
    /// <returns>A block and where in it the memory begins; <see cref="Give"/> takes both back.</returns>
    public (MemoryBlock Block, long At) Take(in MemoryRequirements needs, MemoryPlace place, string what)
    {
        (uint type, bool map) = Choose(needs.MemoryTypeBits, place);
        long bytes = (long)needs.Size, alignment = (long)Math.Max(needs.Alignment, 1);
        lock (_taking)
        {
            if (bytes < LargeBytes)
                foreach (MemoryBlock shared in _blocks)
                    if (shared.Type == type && shared.IsMapped == map && shared.Take(bytes, alignment) is >= 0 and long at) return (shared, at);
            var block = new MemoryBlock(device, type, map, bytes < LargeBytes ? BlockBytes : bytes, what);
            if (bytes < LargeBytes) _blocks.Add(block);
            return (block, block.Take(bytes, alignment));
        }
    }

    /// <summary>Takes memory back; a block of which nothing is in use goes back to the driver.</summary>
    public void Give(MemoryBlock block, long at, long bytes)
    {
        lock (_taking)
        {
            block.Give(at, bytes);
            if (!block.IsEmpty) return;
            _blocks.Remove(block);
            block.Dispose();
        }
    }

    /// <summary>Whether the host writes into what lies on the device.</summary>
    public bool IsMapped => Choose(uint.MaxValue, MemoryPlace.Device).Map;

    private (uint Type, bool Map) Choose(uint allowed, MemoryPlace place)
    {
        const MemoryPropertyFlags Seen = MemoryPropertyFlags.HostVisibleBit | MemoryPropertyFlags.HostCoherentBit;
        DeviceTraits traits = device.Traits;
        if (place == MemoryPlace.Host) return (traits.MemoryType(allowed, Seen | MemoryPropertyFlags.HostCachedBit) ?? traits.MemoryType(allowed, Seen) ?? 0, true);
        if (device.MapsItsMemory && traits.MemoryType(allowed, Seen | MemoryPropertyFlags.DeviceLocalBit) is uint both && traits.IsWhole(both)) return (both, true);
        return (traits.MemoryType(allowed, MemoryPropertyFlags.DeviceLocalBit) ?? 0, false);
    }
}
