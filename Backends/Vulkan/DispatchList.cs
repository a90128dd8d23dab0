using System.Runtime.CompilerServices;

namespace MambaRT.Backends.Vulkan;

/// <summary>Dispatches in the order they are to run in, each with the table of the batch at binding 0.</summary>
internal sealed unsafe class DispatchList(VulkanDevice device, BatchTable table)
{
    private readonly List<Dispatch> _dispatches = [];

    /// <summary>Those so far.</summary>
    public IReadOnlyList<Dispatch> All => _dispatches;

    /// <summary>Adds a dispatch of so many workgroups; of none, nothing.</summary>
    public void Add<TPush>(Op op, ShaderKey shader, long x, long y, in TPush push, ReadOnlySpan<BufferBinding> bindings) where TPush : unmanaged
    {
        if (x == 0 || y == 0) return;
        if (Math.Max(x, y) > device.Traits.MostGroups)
            throw new NotSupportedException($"Op '{op.Name}' takes {Math.Max(x, y)} workgroups in a direction, and {device.Traits.Name} runs up to {device.Traits.MostGroups}; feed smaller chunks.");
        byte[] pushed = new byte[sizeof(TPush)];
        Unsafe.WriteUnaligned(ref pushed[0], push);
        _dispatches.Add(new Dispatch(op.Name, shader, [new BufferBinding(0, table.Device.Whole), .. bindings], pushed, (uint)x, (uint)y));
    }

    /// <summary>Where a shader has nothing to read, any memory will do.</summary>
    public BufferSlice OrTable(BufferSlice memory) => memory.Bytes > 0 ? memory : table.Device.Whole;

    /// <summary>A vector or small matrix that there may be.</summary>
    public BufferSlice Vector(DeviceWeights weights, WeightRef? weight) => weight is WeightRef w ? weights.Vector(w) : table.Device.Whole;

    /// <summary>Parts of a size that cover a whole.</summary>
    public static int Parts(int whole, int part) => (whole + part - 1) / part;
}
