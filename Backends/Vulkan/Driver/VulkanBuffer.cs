using Silk.NET.Vulkan;
using Buffer = Silk.NET.Vulkan.Buffer;

namespace MambaRT.Backends.Vulkan;

/// <summary>A buffer with its memory, and the owner of both.</summary>
internal sealed unsafe class VulkanBuffer : IDisposable
{
    private readonly VulkanDevice _device;
    private MemoryBlock? _block;
    private long _at, _taken;
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
            Usage = BufferUsageFlags.StorageBufferBit | BufferUsageFlags.TransferSrcBit | BufferUsageFlags.TransferDstBit | (device.UsesTexels ? BufferUsageFlags.UniformTexelBufferBit : 0) | (device.RelayGroups > 0 ? BufferUsageFlags.ShaderDeviceAddressBit : 0),
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
        if (_block is not null) _device.Memory.Give(_block, _at, _taken);
        (Handle, _block) = (default, null);
        _mapped = null;
    }

    private void Allocate(MemoryPlace place, string what)
    {
        MemoryRequirements needs;
        _device.Api.GetBufferMemoryRequirements(_device.Handle, Handle, &needs);
        _taken = (long)needs.Size;
        (_block, _at) = _device.Memory.Take(needs, place, what);
        VulkanException.Check(_device.Api.BindBufferMemory(_device.Handle, Handle, _block.Handle, (ulong)_at), "vkBindBufferMemory", what);
        _mapped = _block.Address(_at);
        IsCached = IsMapped && _device.Traits.IsCached(_block.Type);
    }
}
