using Silk.NET.Vulkan;
using Buffer = Silk.NET.Vulkan.Buffer;

namespace MambaRT.Backends.Vulkan;

/// <summary>A buffer with memory of its own, and the owner of both.</summary>
internal sealed unsafe class VulkanBuffer : IDisposable
{
    private readonly VulkanDevice _device;
    private DeviceMemory _memory;
    private byte* _mapped;

    /// <param name="device">Whose memory.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="place">Where.</param>
    /// <param name="what">What it is for, in errors.</param>
    public VulkanBuffer(VulkanDevice device, long bytes, MemoryPlace place, string what)
    {
        (_device, Bytes) = (device, Math.Max(bytes, sizeof(ulong)));
        if (Bytes > device.Traits.MostAllocatedBytes)
            throw new NotSupportedException($"{device.Traits.Name} allocates at most {device.Traits.MostAllocatedBytes:N0} bytes at a time, and {what} takes {Bytes:N0}; choose --backend cpu.");
        var create = new BufferCreateInfo
        {
            SType = StructureType.BufferCreateInfo,
            Size = (ulong)Bytes,
            Usage = BufferUsageFlags.StorageBufferBit | BufferUsageFlags.TransferSrcBit | BufferUsageFlags.TransferDstBit,
        };
        Buffer buffer;
        VulkanException.Check(device.Api.CreateBuffer(device.Handle, &create, null, &buffer), "vkCreateBuffer", what);
        Handle = buffer;
        try
        {
            Allocate(place, what);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Buffer Handle { get; private set; }

    public long Bytes { get; }

    /// <summary>Whether the host sees it.</summary>
    public bool IsMapped => _mapped is not null;

    /// <summary>Whether the host reads it as fast as memory of its own; a card's memory it should only write.</summary>
    public bool IsCached { get; private set; }

    /// <summary>All of it, as shaders are given it.</summary>
    public BufferSlice Whole => new(Handle, 0, Bytes);

    /// <summary>A part that the host sees; the memory is coherent.</summary>
    public Span<T> Span<T>(long offset, long count) where T : unmanaged
    {
        if (offset < 0 || count < 0 || count > int.MaxValue || count > (Bytes - offset) / sizeof(T) || _mapped is null) throw new ArgumentOutOfRangeException(nameof(count));
        return new Span<T>(_mapped + offset, (int)count);
    }

    public void Dispose()
    {
        if (Handle.Handle != 0) _device.Api.DestroyBuffer(_device.Handle, Handle, null);
        if (_memory.Handle != 0) _device.Api.FreeMemory(_device.Handle, _memory, null);
        (Handle, _memory) = (default, default);
        _mapped = null;
    }

    private void Allocate(MemoryPlace place, string what)
    {
        MemoryRequirements needs;
        _device.Api.GetBufferMemoryRequirements(_device.Handle, Handle, &needs);
        (uint type, bool map) = Choose(_device.Traits, needs.MemoryTypeBits, place);
        var allocate = new MemoryAllocateInfo { SType = StructureType.MemoryAllocateInfo, AllocationSize = needs.Size, MemoryTypeIndex = type };
        DeviceMemory memory;
        VulkanException.Check(_device.Api.AllocateMemory(_device.Handle, &allocate, null, &memory), "vkAllocateMemory", $"{what} ({Bytes:N0} bytes)");
        _memory = memory;
        VulkanException.Check(_device.Api.BindBufferMemory(_device.Handle, Handle, memory, 0), "vkBindBufferMemory", what);
        if (!map) return;
        IsCached = _device.Traits.IsCached(type);
        void* mapped;
        VulkanException.Check(_device.Api.MapMemory(_device.Handle, memory, 0, (ulong)Bytes, 0, &mapped), "vkMapMemory", what);
        _mapped = (byte*)mapped;
    }

    private static (uint Type, bool Map) Choose(DeviceTraits traits, uint allowed, MemoryPlace place)
    {
        const MemoryPropertyFlags Seen = MemoryPropertyFlags.HostVisibleBit | MemoryPropertyFlags.HostCoherentBit;
        if (place == MemoryPlace.Host) return (traits.MemoryType(allowed, Seen | MemoryPropertyFlags.HostCachedBit) ?? traits.MemoryType(allowed, Seen) ?? 0, true);
        if (traits.MemoryType(allowed, Seen | MemoryPropertyFlags.DeviceLocalBit) is uint both && traits.IsWhole(both)) return (both, true);
        return (traits.MemoryType(allowed, MemoryPropertyFlags.DeviceLocalBit) ?? 0, false);
    }
}
