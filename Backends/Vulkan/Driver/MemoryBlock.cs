using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>One allocation of memory, which pieces are taken of, and its owner.</summary>
internal sealed unsafe class MemoryBlock : IDisposable
{
    private readonly VulkanDevice _device;
    private readonly long _bytes;
    private readonly List<(long At, long Bytes)> _free;
    private readonly byte* _mapped;

    public MemoryBlock(VulkanDevice device, uint type, bool map, long bytes, string what)
    {
        (_device, _bytes, Type, IsMapped, _free) = (device, bytes, type, map, [(0, bytes)]);
        var addressed = new MemoryAllocateFlagsInfo { SType = StructureType.MemoryAllocateFlagsInfo, Flags = MemoryAllocateFlags.DeviceAddressBit };
        var allocate = new MemoryAllocateInfo { SType = StructureType.MemoryAllocateInfo, PNext = device.RelayGroups > 0 ? &addressed : null, AllocationSize = (ulong)bytes, MemoryTypeIndex = type };
        DeviceMemory memory;
        VulkanException.Check(device.Api.AllocateMemory(device.Handle, &allocate, null, &memory), "vkAllocateMemory", $"{what} ({bytes:N0} bytes)");
        Handle = memory;
        if (!map) return;
        void* mapped;
        Result result = device.Api.MapMemory(device.Handle, memory, 0, Vk.WholeSize, 0, &mapped);
        if (result != Result.Success) Dispose();
        VulkanException.Check(result, "vkMapMemory", what);
        _mapped = (byte*)mapped;
    }

    public DeviceMemory Handle { get; private set; }

    /// <summary>The number of its type.</summary>
    public uint Type { get; }

    /// <summary>Whether the host sees it.</summary>
    public bool IsMapped { get; }

    /// <summary>Whether no piece of it is in use.</summary>
    public bool IsEmpty => _free is [(0, long bytes)] && bytes == _bytes;

    /// <summary>Where the host sees a byte of it; null where it does not.</summary>
    public byte* Address(long at) => _mapped is null ? null : _mapped + at;

    /// <summary>Takes the first piece that is long enough; -1 for none.</summary>
    public long Take(long bytes, long alignment)
    {
        for (int i = 0; i < _free.Count; i++)
        {
            (long at, long length) = _free[i];
            long begin = (at + alignment - 1) / alignment * alignment, end = at + length;
            if (begin + bytes > end) continue;
            _free.RemoveAt(i);
            if (begin + bytes < end) _free.Insert(i, (begin + bytes, end - begin - bytes));
            if (begin > at) _free.Insert(i, (at, begin - at));
            return begin;
        }
        return -1;
    }

    /// <summary>Gives a piece back, which joins its neighbours.</summary>
    public void Give(long at, long bytes)
    {
        int i = 0;
        while (i < _free.Count && _free[i].At < at) i++;
        _free.Insert(i, (at, bytes));
        if (i + 1 < _free.Count && at + bytes == _free[i + 1].At) Join(i);
        if (i > 0 && _free[i - 1].At + _free[i - 1].Bytes == at) Join(i - 1);
    }

    public void Dispose()
    {
        if (Handle.Handle != 0) _device.Api.FreeMemory(_device.Handle, Handle, null);
        Handle = default;
    }

    private void Join(int i)
    {
        _free[i] = (_free[i].At, _free[i].Bytes + _free[i + 1].Bytes);
        _free.RemoveAt(i + 1);
    }
}
