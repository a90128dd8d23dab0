using System.Runtime.InteropServices;
using MambaRT.Backends.Vulkan;
using Silk.NET.Vulkan;

namespace MambaRT.Tests;

/// <summary>A Vulkan driver that fails where a test says so, and counts what is not given back: the machine's own, by way of functions that stand in front of its functions.</summary>
internal sealed unsafe class FailingVulkan : IDisposable
{
    private static readonly string[] Made = ["Device", "Buffer", "Memory", "CommandPool", "Fence", "DescriptorPool", "DescriptorSetLayout", "PipelineLayout", "PipelineCache", "ShaderModule", "ComputePipelines"];

    private readonly nint _library;
    private readonly Action<string, nint, nint, nint>? _after;
    private readonly Dictionary<string, nint> _replaced = [];
    private readonly List<Call> _calls = [];   // kept alive as long as the driver may call them
    private (string Call, int After, Result Result)? _failure;
    private long _alive, _submissions;
    private bool _lost;

    /// <param name="after">Told each function that went well with its second, third and fourth argument; it may write over what they point to.</param>
    public FailingVulkan(Action<string, nint, nint, nint>? after = null)
    {
        if (!NativeLibrary.TryLoad("libvulkan.so.1", out _library)) throw new InvalidOperationException("There is no Vulkan loader.");
        _after = after;
        Instance = VulkanInstance.Open(Find);
    }

    /// <summary>What every function in question looks like where whole numbers and addresses are passed alike.</summary>
    private delegate nint Call(nint a, nint b, nint c, nint d, nint e, nint f, nint g, nint h);

    /// <summary>The instance that goes through it.</summary>
    public VulkanInstance Instance { get; }

    /// <summary>Objects that were made and not destroyed, and allocations.</summary>
    public long Alive => Interlocked.Read(ref _alive);

    /// <summary>Submissions so far.</summary>
    public long Submissions => Interlocked.Read(ref _submissions);

    /// <summary>Lets a function fail once, after so many calls that go well; a device that is lost stays so.</summary>
    public void Fail(string call, int after, Result result) => _failure = (call, after, result);

    /// <summary>All is well again.</summary>
    public void Heal() => (_failure, _lost) = (null, false);

    public void Dispose() => Instance.Dispose();

    private nint Find(string name)
    {
        if (!NativeLibrary.TryGetExport(_library, name, out nint real)) return 0;
        if (name is "vkGetInstanceProcAddr" or "vkGetDeviceProcAddr" || name.StartsWith("vkCmd", StringComparison.Ordinal)) return real;
        lock (_replaced)
        {
            if (_replaced.TryGetValue(name, out nint known)) return known;
            Call call = (a, b, c, d, e, f, g, h) => Through(name, real, a, b, c, d, e, f, g, h);
            _calls.Add(call);
            return _replaced[name] = Marshal.GetFunctionPointerForDelegate(call);
        }
    }

    private nint Through(string name, nint real, nint a, nint b, nint c, nint d, nint e, nint f, nint g, nint h)
    {
        bool fails = Fails(name, out Result result);
        if (fails && name != "vkWaitForFences") return (int)result;
        nint given = ((delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, nint>)real)(a, b, c, d, e, f, g, h);
        if (fails) return (int)result;   // what was submitted is over, as it is where a device is lost
        Count(name, (int)given, a, b);
        _after?.Invoke(name, b, c, d);
        return given;
    }

    private bool Fails(string name, out Result result)
    {
        result = Result.ErrorDeviceLost;
        if (_lost && (name is "vkQueueSubmit" or "vkWaitForFences")) return true;
        if (_failure is not { } failure || failure.Call != name) return false;
        result = failure.Result;
        _failure = failure.After > 0 ? failure with { After = failure.After - 1 } : null;
        _lost = failure.After == 0 && failure.Result == Result.ErrorDeviceLost;
        return failure.After == 0;
    }

    private void Count(string name, int given, nint a, nint b)
    {
        if (name == "vkQueueSubmit") Interlocked.Increment(ref _submissions);
        foreach (string made in Made)
        {
            if (given == 0 && (name == "vkCreate" + made || name == "vkAllocate" + made)) Interlocked.Increment(ref _alive);
            string single = made == "ComputePipelines" ? "Pipeline" : made;
            if ((name == "vkDestroy" + single || name == "vkFree" + single) && (single == "Device" ? a : b) != 0) Interlocked.Decrement(ref _alive);
        }
    }
}
