using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>Dispatches recorded once, to be run any number of times, and the descriptors they need.</summary>
internal sealed unsafe class RecordedCommands : IDisposable
{
    private readonly VulkanDevice _device;
    private readonly CommandLane _lane;
    private readonly DispatchTimer? _timer;
    private readonly List<CommandBuffer> _parts = [];
    private readonly List<BufferView> _views = [];
    private DescriptorPool _pool;

    /// <param name="device">Where they run.</param>
    /// <param name="lane">Who runs them.</param>
    /// <param name="pipelines">Where pipelines come from.</param>
    /// <param name="dispatches">What is run, in order.</param>
    /// <param name="before">Copies in front.</param>
    /// <param name="after">Copies behind.</param>
    /// <param name="last">What is run after those.</param>
    /// <param name="timer">Marks each dispatch, which then waits for the one before; null for none.</param>
    public RecordedCommands(VulkanDevice device, CommandLane lane, PipelineLibrary pipelines, IReadOnlyList<Dispatch> dispatches,
        Action<CommandBuffer> before, Action<CommandBuffer> after, IReadOnlyList<Dispatch> last, DispatchTimer? timer = null)
    {
        (_device, _lane, _timer) = (device, lane, timer);
        _pool = NewPool(dispatches.Count + last.Count);
        try
        {
            for (int from = 0, to = 0; from < dispatches.Count || _parts.Count == 0; from = to)
            {
                (int begin, bool first) = (from, _parts.Count == 0);
                int end = to = EndOfPart(dispatches, from);
                _parts.Add(lane.Record(commands =>
                {
                    CommandLane.Barrier(device.Api, commands);
                    if (first) Copy(commands, before);
                    Add(commands, pipelines, dispatches, begin, end);
                    CommandLane.Barrier(device.Api, commands);
                    if (end < dispatches.Count) return;
                    Copy(commands, after);
                    if (last.Count == 0) return;
                    Add(commands, pipelines, last, 0, last.Count);
                    CommandLane.Barrier(device.Api, commands);
                }));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What to send, one after the other: none is more work than a device is given at a time.</summary>
    public IReadOnlyList<CommandBuffer> Parts => _parts;

    /// <summary>Barriers between dispatches.</summary>
    public int Barriers { get; private set; }

    public void Dispose()
    {
        foreach (CommandBuffer commands in _parts) _lane.Free(commands);
        _parts.Clear();
        if (_pool.Handle != 0) _device.Api.DestroyDescriptorPool(_device.Handle, _pool, null);
        _pool = default;
        foreach (BufferView view in _views) _device.Api.DestroyBufferView(_device.Handle, view, null);
        _views.Clear();
    }

    private int EndOfPart(IReadOnlyList<Dispatch> dispatches, int from)
    {
        long work = 0;
        int end = from;
        while (end < dispatches.Count && (end == from || work + dispatches[end].Work <= _device.MostWork)) work += dispatches[end++].Work;
        return end;
    }

    private void Copy(CommandBuffer commands, Action<CommandBuffer> copies)
    {
        copies(commands);
        CommandLane.Barrier(_device.Api, commands);
    }

    private void Add(CommandBuffer commands, PipelineLibrary pipelines, IReadOnlyList<Dispatch> dispatches, int from, int to)
    {
        var hazards = new Hazards();
        Pipeline bound = default;
        if (to > from) _timer?.Begin(commands, to - from);
        for (int i = from; i < to; i++)
        {
            Dispatch dispatch = dispatches[i];
            if (hazards.Note(dispatch.Bindings) || (_timer is not null && i > from))
            {
                CommandLane.BarrierOfShaders(_device.Api, commands);
                Barriers++;
            }
            Pipeline pipeline = pipelines[dispatch.Shader];
            if (pipeline.Handle != bound.Handle) _device.Api.CmdBindPipeline(commands, PipelineBindPoint.Compute, pipeline);
            bound = pipeline;
            DescriptorSet set = Describe(pipelines.SetLayout, dispatch);
            _device.Api.CmdBindDescriptorSets(commands, PipelineBindPoint.Compute, pipelines.Layout, 0, 1, &set, 0, null);
            fixed (byte* push = dispatch.Push) _device.Api.CmdPushConstants(commands, pipelines.Layout, ShaderStageFlags.ComputeBit, 0, (uint)dispatch.Push.Length, push);
            _device.Api.CmdDispatch(commands, dispatch.X, dispatch.Y, 1);
            _timer?.End(commands, dispatch);
        }
    }

    private DescriptorSet Describe(DescriptorSetLayout layout, Dispatch dispatch)
    {
        var allocate = new DescriptorSetAllocateInfo { SType = StructureType.DescriptorSetAllocateInfo, DescriptorPool = _pool, DescriptorSetCount = 1, PSetLayouts = &layout };
        DescriptorSet set;
        VulkanException.Check(_device.Api.AllocateDescriptorSets(_device.Handle, &allocate, &set), "vkAllocateDescriptorSets", dispatch.Op);
        foreach (BufferBinding binding in dispatch.Bindings)
        {
            var info = new DescriptorBufferInfo(binding.Memory.Handle, (ulong)binding.Memory.Offset, (ulong)binding.Memory.Bytes);
            DescriptorType type = DeviceTraits.TypeOf(binding.Number);
            BufferView view = type == DescriptorType.UniformTexelBuffer ? ViewOf(binding, dispatch.Op) : default;
            var write = new WriteDescriptorSet
            {
                SType = StructureType.WriteDescriptorSet,
                DstSet = set,
                DstBinding = binding.Number,
                DescriptorCount = 1,
                DescriptorType = type,
                PBufferInfo = &info,
                PTexelBufferView = &view,
            };
            _device.Api.UpdateDescriptorSets(_device.Handle, 1, &write, 0, null);
        }
        return set;
    }

    /// <summary>Memory as texels: words, or four of them together.</summary>
    private BufferView ViewOf(BufferBinding binding, string what)
    {
        long texel = binding.IsQuads ? 4 * sizeof(uint) : sizeof(uint);
        var create = new BufferViewCreateInfo
        {
            SType = StructureType.BufferViewCreateInfo,
            Buffer = binding.Memory.Handle,
            Format = binding.IsQuads ? Format.R32G32B32A32Uint : Format.R32Uint,
            Offset = (ulong)binding.Memory.Offset,
            Range = (ulong)(binding.Memory.Bytes / texel * texel),
        };
        BufferView view;
        VulkanException.Check(_device.Api.CreateBufferView(_device.Handle, &create, null, &view), "vkCreateBufferView", what);
        _views.Add(view);
        return view;
    }

    private DescriptorPool NewPool(int sets)
    {
        uint count = (uint)Math.Max(sets, 1);
        var sizes = stackalloc DescriptorPoolSize[]
        {
            new() { Type = DescriptorType.StorageBuffer, DescriptorCount = count * DeviceTraits.MostBindings },
            new() { Type = DescriptorType.UniformTexelBuffer, DescriptorCount = count * DeviceTraits.MostTexels },
        };
        var create = new DescriptorPoolCreateInfo { SType = StructureType.DescriptorPoolCreateInfo, MaxSets = count, PoolSizeCount = _device.UsesTexels ? 2u : 1, PPoolSizes = sizes };
        DescriptorPool pool;
        VulkanException.Check(_device.Api.CreateDescriptorPool(_device.Handle, &create, null, &pool), "vkCreateDescriptorPool");
        return pool;
    }
}
