using System.Diagnostics;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>One model's commands: it records them, sends them one after the other, a few at a time, and waits. One thread at a time.</summary>
internal sealed unsafe class CommandLane : IDisposable
{
    /// <summary>What part of a second is polled before the processor is given up.</summary>
    private const int PollsOfSecond = 200;

    /// <summary>Submissions that may be under way.</summary>
    private const int Most = 4;

    private readonly VulkanDevice _device;
    private readonly CommandPool _pool;
    private readonly Fence[] _fences = new Fence[Most];   // by number of submission, in turn
    private readonly CommandBuffer _once;
    private long _sent, _over;
    private (long First, long Last, Result Result)? _failure;

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
            for (int i = 0; i < Most; i++)
            {
                Fence done;
                VulkanException.Check(device.Api.CreateFence(device.Handle, &fence, null, &done), "vkCreateFence");
                _fences[i] = done;
            }
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

    /// <summary>Sends what was recorded, which must not be under way; gives its number, for <see cref="WaitFor"/>.</summary>
    public long Start(CommandBuffer commands, string what)
    {
        if (_sent - _over == Most) WaitForOldest(what);
        _device.Submit(commands, _fences[(_sent + 1) % Most], what);
        return ++_sent;
    }

    /// <summary>Waits for all that was sent.</summary>
    public void Wait(string what)
    {
        while (_over < _sent) WaitForOldest(what);
    }

    /// <summary>Waits for all that was sent, whatever comes of it.</summary>
    public void Settle()
    {
        try
        {
            Wait("ending");
        }
        catch (VulkanException)
        {
            // What failed first is what is told.
        }
    }

    /// <summary>Waits for what was sent under a number, and all before.</summary>
    /// <exception cref="VulkanException">It has failed, or something before; nothing is under way any more.</exception>
    public void WaitFor(long number, string what)
    {
        while (_over < number) WaitForOldest(what);
        if (_failure is { } failure && number >= failure.First && number <= failure.Last) throw new VulkanException("vkWaitForFences", failure.Result, what);
    }

    private void WaitForOldest(string what)
    {
        Fence fence = _fences[(_over + 1) % Most];
        // A step of decode is over within a millisecond or a few; to be woken up takes its while.
        for (long until = _device.Traits.IsSoftware ? 0 : Stopwatch.GetTimestamp() + Stopwatch.Frequency / PollsOfSecond; Stopwatch.GetTimestamp() < until;)
            if (_device.Api.GetFenceStatus(_device.Handle, fence) != Result.NotReady) break;
        Result result = _device.Api.WaitForFences(_device.Handle, 1, &fence, true, ulong.MaxValue);
        if (result != Result.Success) Abandon(result);
        VulkanException.Check(result, "vkWaitForFences", what);
        _over++;
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
        Settle();
        foreach (Fence fence in _fences)
            if (fence.Handle != 0) _device.Api.DestroyFence(_device.Handle, fence, null);
        _device.Api.DestroyCommandPool(_device.Handle, _pool, null);
    }

    /// <summary>A wait has failed: whatever the device still does must be over before memory it uses is given back. One that is lost does nothing.</summary>
    private void Abandon(Result result)
    {
        _failure = (_over + 1, _sent, result);
        _device.Settle();
        fixed (Fence* all = _fences) _device.Api.ResetFences(_device.Handle, Most, all);
        _over = _sent;
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
