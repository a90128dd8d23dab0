using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>Dispatches recorded once, to be run any number of times, and the descriptors they need.</summary>
internal sealed unsafe class RecordedCommands : IDisposable
{
    private readonly VulkanDevice _device;
    private readonly CommandLane _lane;
    private DescriptorPool _pool;

    /// <param name="device">Where they run.</param>
    /// <param name="lane">Who runs them.</param>
    /// <param name="pipelines">Where pipelines come from.</param>
    /// <param name="dispatches">What is run, in order.</param>
    /// <param name="before">Copies in front.</param>
    /// <param name="after">Copies behind.</param>
    public RecordedCommands(VulkanDevice device, CommandLane lane, PipelineLibrary pipelines, IReadOnlyList<Dispatch> dispatches, Action<CommandBuffer> before, Action<CommandBuffer> after)
    {
        (_device, _lane) = (device, lane);
        _pool = NewPool(dispatches.Count);
        try
        {
            Commands = lane.Record(commands =>
            {
                CommandLane.Barrier(device.Api, commands);
                before(commands);
                CommandLane.Barrier(device.Api, commands);
                Add(commands, pipelines, dispatches);
                CommandLane.Barrier(device.Api, commands);
                after(commands);
                CommandLane.Barrier(device.Api, commands);
            });
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What to send.</summary>
    public CommandBuffer Commands { get; }

    /// <summary>Barriers between dispatches.</summary>
    public int Barriers { get; private set; }

    public void Dispose()
    {
        if (Commands.Handle != 0) _lane.Free(Commands);
        if (_pool.Handle != 0) _device.Api.DestroyDescriptorPool(_device.Handle, _pool, null);
        _pool = default;
    }

    private void Add(CommandBuffer commands, PipelineLibrary pipelines, IReadOnlyList<Dispatch> dispatches)
    {
        var hazards = new Hazards();
        Pipeline bound = default;
        foreach (Dispatch dispatch in dispatches)
        {
            if (hazards.Note(dispatch.Bindings))
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
            var write = new WriteDescriptorSet
            {
                SType = StructureType.WriteDescriptorSet,
                DstSet = set,
                DstBinding = binding.Number,
                DescriptorCount = 1,
                DescriptorType = DescriptorType.StorageBuffer,
                PBufferInfo = &info,
            };
            _device.Api.UpdateDescriptorSets(_device.Handle, 1, &write, 0, null);
        }
        return set;
    }

    private DescriptorPool NewPool(int sets)
    {
        uint count = (uint)Math.Max(sets, 1);
        var size = new DescriptorPoolSize { Type = DescriptorType.StorageBuffer, DescriptorCount = count * DeviceTraits.MostBindings };
        var create = new DescriptorPoolCreateInfo { SType = StructureType.DescriptorPoolCreateInfo, MaxSets = count, PoolSizeCount = 1, PPoolSizes = &size };
        DescriptorPool pool;
        VulkanException.Check(_device.Api.CreateDescriptorPool(_device.Handle, &create, null, &pool), "vkCreateDescriptorPool");
        return pool;
    }
}
