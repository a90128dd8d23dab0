namespace MambaRT.Backends.Vulkan;

/// <summary>Dispatches in the order they are to run in, each with the table of the batch at binding 0.</summary>
internal sealed class DispatchList(VulkanDevice device, BufferSlice table, Bucket bucket)
{
    private readonly List<Dispatch> _dispatches = [];

    /// <summary>Those so far.</summary>
    public IReadOnlyList<Dispatch> All => _dispatches;

    /// <summary>Adds a dispatch of so many workgroups; of none, nothing. Its work is that of the op where it is not given.</summary>
    public void Add<TPush>(Op op, ShaderKey shader, long x, long y, in TPush push, ReadOnlySpan<BufferBinding> bindings, long? work = null) where TPush : unmanaged
    {
        if (x == 0 || y == 0) return;
        if (Math.Max(x, y) > device.Traits.MostGroups)
            throw new NotSupportedException($"Op '{op.Name}' takes {Math.Max(x, y)} workgroups in a direction, and {device.Traits.Name} runs up to {device.Traits.MostGroups}; feed smaller chunks.");
        _dispatches.Add(new Dispatch(op.Name, shader, [new BufferBinding(0, table), .. bindings], PushBytes.Of(push), (uint)x, (uint)y, work ?? Workload.Of(op, op.Output.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs)));
    }

    /// <summary>Adds a dispatch that writes into the table.</summary>
    public void AddFirst<TPush>(string name, ShaderKey shader, int x, in TPush push, ReadOnlySpan<BufferBinding> bindings) where TPush : unmanaged =>
        _dispatches.Add(new Dispatch(name, shader, [new BufferBinding(0, table, BufferAccess.Reads | BufferAccess.Writes), .. bindings], PushBytes.Of(push), (uint)x, 1));

    /// <summary>Where a shader has nothing to read, any memory will do.</summary>
    public BufferSlice OrTable(BufferSlice memory) => memory.Bytes > 0 ? memory : table;

    /// <summary>A vector or small matrix that there may be.</summary>
    public BufferSlice Vector(DeviceWeights weights, WeightRef? weight) => weight is WeightRef w ? weights.Vector(w) : table;

    /// <summary>Parts of a size that cover a whole.</summary>
    public static int Parts(int whole, int part) => (whole + part - 1) / part;
}
