using System.Diagnostics;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>One model's commands: it records them, sends them one after the other and waits. One thread at a time.</summary>
internal sealed unsafe class CommandLane : IDisposable
{
    /// <summary>What part of a second is polled before the processor is given up.</summary>
    private const int PollsOfSecond = 200;

    private readonly VulkanDevice _device;
    private readonly CommandPool _pool;
    private readonly Fence _fence;
    private readonly CommandBuffer _once;
    private bool _running;

    public CommandLane(VulkanDevice device)
    {
        _device = device;
        var pool = new CommandPoolCreateInfo
        {
            SType = StructureType.CommandPoolCreateInfo,
            QueueFamilyIndex = device.Traits.Family.GetValueOrDefault(),
            Flags = CommandPoolCreateFlags.ResetCommandBufferBit,
        };
        CommandPool made;
        VulkanException.Check(device.Api.CreateCommandPool(device.Handle, &pool, null, &made), "vkCreateCommandPool");
        _pool = made;
        try
        {
            var fence = new FenceCreateInfo { SType = StructureType.FenceCreateInfo };
            Fence done;
            VulkanException.Check(device.Api.CreateFence(device.Handle, &fence, null, &done), "vkCreateFence");
            _fence = done;
            _once = NewBuffer();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Records commands, to be sent any number of times; <see cref="Free"/> gives them back.</summary>
    public CommandBuffer Record(Action<CommandBuffer> body)
    {
        CommandBuffer commands = NewBuffer();
        try
        {
            Begin(commands);
            body(commands);
            End(commands);
        }
        catch
        {
            Free(commands);
            throw;
        }
        return commands;
    }

    public void Free(CommandBuffer commands) => _device.Api.FreeCommandBuffers(_device.Handle, _pool, 1, &commands);

    /// <summary>Sends what was recorded; <see cref="Wait"/> before the next.</summary>
    public void Start(CommandBuffer commands, string what)
    {
        _device.Submit(commands, _fence, what);
        _running = true;
    }

    /// <summary>Waits for what was sent.</summary>
    public void Wait(string what)
    {
        if (!_running) return;
        _running = false;
        Fence fence = _fence;
        // A step of decode is over within a millisecond or a few; to be woken up takes its while.
        for (long until = _device.Traits.IsSoftware ? 0 : Stopwatch.GetTimestamp() + Stopwatch.Frequency / PollsOfSecond; Stopwatch.GetTimestamp() < until;)
            if (_device.Api.GetFenceStatus(_device.Handle, fence) != Result.NotReady) break;
        VulkanException.Check(_device.Api.WaitForFences(_device.Handle, 1, &fence, true, ulong.MaxValue), "vkWaitForFences", what);
        VulkanException.Check(_device.Api.ResetFences(_device.Handle, 1, &fence), "vkResetFences", what);
    }

    /// <summary>Waits for what was sent before, and begins commands that run once; <see cref="Send"/> ends them.</summary>
    public CommandBuffer Begin(string what)
    {
        Wait(what);
        Begin(_once);
        Barrier(_device.Api, _once);
        return _once;
    }

    /// <summary>Sends what was recorded since <see cref="Begin(string)"/>.</summary>
    public void Send(string what)
    {
        Barrier(_device.Api, _once);
        End(_once);
        Start(_once, what);
    }

    /// <summary>Sends what was recorded since <see cref="Begin(string)"/>, and waits for it.</summary>
    public void Run(string what)
    {
        Send(what);
        Wait(what);
    }

    /// <summary>Makes what was written before visible to what comes after, on the device and the host.</summary>
    public static void Barrier(Vk api, CommandBuffer commands)
    {
        const PipelineStageFlags Works = PipelineStageFlags.ComputeShaderBit | PipelineStageFlags.TransferBit;
        var all = new MemoryBarrier
        {
            SType = StructureType.MemoryBarrier,
            SrcAccessMask = AccessFlags.ShaderWriteBit | AccessFlags.TransferWriteBit,
            DstAccessMask = AccessFlags.ShaderReadBit | AccessFlags.ShaderWriteBit | AccessFlags.TransferReadBit | AccessFlags.TransferWriteBit | AccessFlags.HostReadBit,
        };
        api.CmdPipelineBarrier(commands, Works, Works | PipelineStageFlags.HostBit, 0, 1, &all, 0, null, 0, null);
    }

    /// <summary>Makes what shaders wrote visible to shaders that follow, and has these wait until those before are done.</summary>
    public static void BarrierOfShaders(Vk api, CommandBuffer commands)
    {
        var written = new MemoryBarrier { SType = StructureType.MemoryBarrier, SrcAccessMask = AccessFlags.ShaderWriteBit, DstAccessMask = AccessFlags.ShaderReadBit | AccessFlags.ShaderWriteBit };
        api.CmdPipelineBarrier(commands, PipelineStageFlags.ComputeShaderBit, PipelineStageFlags.ComputeShaderBit, 0, 1, &written, 0, null, 0, null);
    }

    public void Dispose()
    {
        try { Wait("ending"); }
        catch (VulkanException) { }   // a device that is lost has nothing to wait for
        if (_fence.Handle != 0) _device.Api.DestroyFence(_device.Handle, _fence, null);
        _device.Api.DestroyCommandPool(_device.Handle, _pool, null);
    }

    private CommandBuffer NewBuffer()
    {
        var allocate = new CommandBufferAllocateInfo { SType = StructureType.CommandBufferAllocateInfo, CommandPool = _pool, Level = CommandBufferLevel.Primary, CommandBufferCount = 1 };
        CommandBuffer commands;
        VulkanException.Check(_device.Api.AllocateCommandBuffers(_device.Handle, &allocate, &commands), "vkAllocateCommandBuffers");
        return commands;
    }

    private void Begin(CommandBuffer commands)
    {
        var begin = new CommandBufferBeginInfo { SType = StructureType.CommandBufferBeginInfo };
        VulkanException.Check(_device.Api.BeginCommandBuffer(commands, &begin), "vkBeginCommandBuffer");
    }

    private void End(CommandBuffer commands) => VulkanException.Check(_device.Api.EndCommandBuffer(commands), "vkEndCommandBuffer");
}
