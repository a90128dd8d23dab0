using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>Marks of the device's clock behind each dispatch of commands that are recorded with it, as last run.</summary>
internal sealed unsafe class DispatchTimer : IDisposable
{
    private readonly VulkanDevice _device;
    private readonly List<(Dispatch Dispatch, int Mark)> _ends = [];
    private QueryPool _marks;
    private int _next;

    /// <param name="device">Where they run.</param>
    /// <param name="dispatches">How many there are at most: there is a mark behind each, and one in front of each part.</param>
    public DispatchTimer(VulkanDevice device, int dispatches)
    {
        _device = device;
        var create = new QueryPoolCreateInfo { SType = StructureType.QueryPoolCreateInfo, QueryType = QueryType.Timestamp, QueryCount = 2 * (uint)Math.Max(dispatches, 1) };
        QueryPool made;
        VulkanException.Check(device.Api.CreateQueryPool(device.Handle, &create, null, &made), "vkCreateQueryPool");
        _marks = made;
    }

    /// <summary>In front of so many dispatches of a command buffer.</summary>
    public void Begin(CommandBuffer commands, int dispatches)
    {
        _device.Api.CmdResetQueryPool(commands, _marks, (uint)_next, (uint)dispatches + 1);
        Mark(commands);
    }

    /// <summary>Behind a dispatch.</summary>
    public void End(CommandBuffer commands, Dispatch dispatch)
    {
        _ends.Add((dispatch, _next));
        Mark(commands);
    }

    /// <summary>Notes the times, once all is over.</summary>
    /// <param name="profile">Where.</param>
    /// <param name="plan">Whose ops are looked for by their names.</param>
    /// <param name="remark">What to say beside each shader's name.</param>
    public void AddTo(KernelProfile profile, Plan plan, string remark = "")
    {
        if (_next == 0) return;
        ulong[] ticks = Read();
        var ops = new Dictionary<string, Op>();
        foreach (Op op in plan.Ops) ops.TryAdd(op.Name, op);
        foreach ((Dispatch dispatch, int mark) in _ends)
            profile.Add(ops.GetValueOrDefault(dispatch.Op), dispatch.Op, dispatch.Shader.Name + remark, _device.Traits.Milliseconds(ticks[mark - 1], ticks[mark]));
    }

    /// <summary>From the first mark to the last.</summary>
    public double Milliseconds()
    {
        ulong[] ticks = Read();
        return _device.Traits.Milliseconds(ticks[0], ticks[^1]);
    }

    public void Dispose()
    {
        if (_marks.Handle != 0) _device.Api.DestroyQueryPool(_device.Handle, _marks, null);
        _marks = default;
    }

    private ulong[] Read()
    {
        var ticks = new ulong[_next];
        fixed (ulong* to = ticks)
            VulkanException.Check(_device.Api.GetQueryPoolResults(_device.Handle, _marks, 0, (uint)_next, (nuint)_next * sizeof(ulong), to, sizeof(ulong), QueryResultFlags.Result64Bit | QueryResultFlags.ResultWaitBit),
                "vkGetQueryPoolResults");
        return ticks;
    }

    /// <summary>Reached when all before it is over.</summary>
    private void Mark(CommandBuffer commands) => _device.Api.CmdWriteTimestamp(commands, PipelineStageFlags.BottomOfPipeBit, _marks, (uint)_next++);
}
