using System.Runtime.InteropServices;
using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Silk.NET.Vulkan;
using Xunit;

namespace MambaRT.Tests;

/// <summary>No loader, no driver, no device, a device that fails or has too little memory: a sentence, the session that is concerned and nothing else, and nothing left behind.</summary>
public sealed unsafe class VulkanFailureTests
{
    private static readonly int[] Prompt = TinyModels.Tokens(100);

    private delegate int Made(nint create, nint allocator, nint* instance);

    private delegate int Listed(nint instance, uint* count, nint* devices);

    private delegate void Destroyed(nint instance, nint allocator);

    [Fact]
    public void Open_NoLoader_SaysSo() => Assert.StartsWith("no loader found (libvulkan.so.1", Refusal(null));

    [Fact]
    public void Open_LibraryThatIsNoLoader_SaysSo() => Assert.StartsWith("what is installed as its loader lacks a function (", Refusal(_ => 0));

    [Theory]
    [InlineData(Result.ErrorIncompatibleDriver, "the loader finds no driver for any device; install")]
    [InlineData(Result.ErrorOutOfHostMemory, "no instance can be made: vkCreateInstance failed with ErrorOutOfHostMemory, which the loader also says where it cannot read")]
    [InlineData(Result.ErrorInitializationFailed, "no instance can be made: vkCreateInstance failed with ErrorInitializationFailed")]
    public void Open_NoInstance_SaysWhy(Result result, string why)
    {
        Made create = (_, _, _) => (int)result;
        Assert.StartsWith(why, Refusal(Exports(("vkCreateInstance", create))));
        GC.KeepAlive(create);
    }

    [Theory]
    [InlineData(Result.Success, "the drivers that are installed have no device")]
    [InlineData(Result.ErrorOutOfHostMemory, "the devices cannot be listed: vkEnumeratePhysicalDevices failed with ErrorOutOfHostMemory")]
    public void Open_NoDevice_SaysWhyAndGivesTheInstanceBack(Result result, string why)
    {
        bool isGone = false;
        Made create = (_, _, to) =>
        {
            *to = 1;
            return 0;
        };
        Listed list = (_, count, _) =>
        {
            *count = 0;
            return (int)result;
        };
        Destroyed destroy = (_, _) => isGone = true;
        Assert.StartsWith(why, Refusal(Exports(("vkCreateInstance", create), ("vkEnumeratePhysicalDevices", list), ("vkDestroyInstance", destroy))));
        Assert.True(isGone);
        GC.KeepAlive((create, list, destroy));
    }

    [MachineFact(Needs.Vulkan)]
    public void Open_DeviceThatIsTooOld_SaysWhatIsNeeded()
    {
        using var driver = new FailingVulkan((name, properties, _, _) =>
        {
            if (name == "vkGetPhysicalDeviceProperties2") ((PhysicalDeviceProperties2*)properties)->Properties.ApiVersion = Vk.MakeVersion(1, 1);
        });
        Assert.Matches(@"^Vulkan: .* has Vulkan 1\.1, and 1\.2 or newer is needed; choose --backend cpu\.$", Assert.Throws<NotSupportedException>(() => Backend(driver)).Message);
    }

    [MachineTheory(Needs.Vulkan)]
    [InlineData("vkCreateDevice", Result.ErrorInitializationFailed)]
    [InlineData("vkCreateDescriptorSetLayout", Result.ErrorOutOfHostMemory)]
    [InlineData("vkCreatePipelineLayout", Result.ErrorOutOfHostMemory)]
    [InlineData("vkCreateCommandPool", Result.ErrorOutOfHostMemory)]
    [InlineData("vkCreateFence", Result.ErrorOutOfHostMemory)]
    [InlineData("vkAllocateCommandBuffers", Result.ErrorOutOfDeviceMemory)]
    [InlineData("vkCreateBuffer", Result.ErrorOutOfHostMemory)]
    [InlineData("vkAllocateMemory", Result.ErrorOutOfDeviceMemory)]
    [InlineData("vkMapMemory", Result.ErrorMemoryMapFailed)]
    [InlineData("vkBindBufferMemory", Result.ErrorOutOfDeviceMemory)]
    [InlineData("vkBeginCommandBuffer", Result.ErrorOutOfHostMemory)]
    [InlineData("vkEndCommandBuffer", Result.ErrorOutOfDeviceMemory)]
    [InlineData("vkQueueSubmit", Result.ErrorDeviceLost)]
    [InlineData("vkWaitForFences", Result.ErrorDeviceLost)]
    public void Open_CallThatFails_IsASentenceAndLeavesNothing(string call, Result result)
    {
        using var driver = new FailingVulkan();
        int failures = 0;
        for (int after = 0; after < 40; after = after < 4 ? after + 1 : after * 3)
        {
            driver.Fail(call, after, result);
            try
            {
                using TinyRun run = Run(driver, "mamba-untied-biases", QuantTypes.Q8_0);
            }
            catch (VulkanException e)
            {
                Assert.Contains($"{call} failed with {result}", e.Message);
                Assert.DoesNotContain('\n', e.Message);
                failures++;
            }
            driver.Heal();
            Assert.Equal(0, driver.Alive);
        }
        Assert.NotEqual(0, failures);
    }

    [MachineTheory(Needs.Vulkan)]
    [InlineData("vkQueueSubmit", Result.ErrorOutOfDeviceMemory, 1)]
    [InlineData("vkQueueSubmit", Result.ErrorOutOfDeviceMemory, 100)]
    [InlineData("vkWaitForFences", Result.ErrorOutOfHostMemory, 1)]
    [InlineData("vkWaitForFences", Result.ErrorOutOfHostMemory, 100)]
    [InlineData("vkCreateDescriptorPool", Result.ErrorOutOfDeviceMemory, 50)]
    [InlineData("vkAllocateDescriptorSets", Result.ErrorOutOfPoolMemory, 50)]
    [InlineData("vkAllocateCommandBuffers", Result.ErrorOutOfHostMemory, 50)]
    [InlineData("vkEndCommandBuffer", Result.ErrorOutOfDeviceMemory, 50)]
    public void Feed_CallThatFails_ConcernsTheSessionAlone(string call, Result result, int tokens)
    {
        using var driver = new FailingVulkan();
        using (TinyRun run = Run(driver, "mamba-untied-biases", QuantTypes.F32))
        {
            using Session session = run.Model.StartSession(), sibling = run.Model.StartSession();
            float[] expected = sibling.Feed(Prompt).ToArray();
            session.Feed([1]);
            session.Feed([1, 2]);
            driver.Fail(call, call is "vkQueueSubmit" or "vkWaitForFences" && tokens > 1 ? 1 : 0, result);   // the first copies the state that it goes back to

            Assert.Contains($"{call} failed with {result}", Assert.Throws<VulkanException>(() => session.Feed(Prompt.AsSpan(0, tokens))).Message);
            driver.Heal();
            Assert.Equal(100, sibling.Position);
            sibling.Feed([1]);
            session.Reset();
            Assert.Equal(expected, session.Feed(Prompt).ToArray());
        }
        Assert.Equal(0, driver.Alive);
    }

    [MachineTheory(Needs.Vulkan)]
    [InlineData("vkQueueSubmit")]
    [InlineData("vkWaitForFences")]
    public void Feed_DeviceLost_SaysSoFromThenOn(string call)
    {
        using var driver = new FailingVulkan();
        using (TinyRun run = Run(driver, "mamba-tied", QuantTypes.F32))
        {
            using Session session = run.Model.StartSession();
            session.Feed(Prompt);
            session.Feed([1]);
            driver.Fail(call, 0, Result.ErrorDeviceLost);
            Assert.Matches($"{call} failed with ErrorDeviceLost \\(the device is lost: .*choose --backend cpu\\)$", Assert.Throws<VulkanException>(() => session.Feed([1])).Message);
            Assert.Contains("lost its state", Assert.Throws<InvalidOperationException>(() => session.Save()).Message);
            Assert.True(Assert.Throws<VulkanException>(session.Reset).IsDeviceLost);
            Assert.True(Assert.Throws<VulkanException>(run.Model.StartSession).IsDeviceLost);
        }
        Assert.Equal(0, driver.Alive);   // although every call failed
    }

    [MachineFact(Needs.Vulkan)]
    public void StartSession_DeviceFull_IsRefusedAndTheOthersGoOn()
    {
        using var driver = new FailingVulkan();
        using (TinyRun run = Run(driver, "mamba-tied", QuantTypes.F32))
        {
            using Session session = run.Model.StartSession();
            float[] expected = session.Feed(Prompt).ToArray();
            var sessions = new List<Session>();
            driver.Fail("vkCreateBuffer", 0, Result.ErrorOutOfDeviceMemory);
            StateBudgetException refused = Assert.Throws<StateBudgetException>(() =>
            {
                for (int i = 0; i < 20; i++) sessions.Add(run.Model.StartSession());
            });
            Assert.Contains("no memory left for another state", refused.Message);
            using Session another = run.Model.StartSession();
            Assert.Equal(expected, another.Feed(Prompt).ToArray());
            session.Feed([1]);
            foreach (Session one in sessions) one.Dispose();
        }
        Assert.Equal(0, driver.Alive);
    }

    [MachineTheory(Needs.Vulkan)]
    [InlineData("mamba-tied")]
    [InlineData("mamba2-g3")]
    public void WhyNot_TooLittleMemoryIsFree_NamesTheLayersThatFit(string name)
    {
        ulong free = 0;
        using var driver = new FailingVulkan((call, properties, count, extensions) =>
        {
            if (call == "vkGetPhysicalDeviceMemoryProperties2") Tell(properties, free);
            if (call == "vkEnumerateDeviceExtensionProperties") AddMemoryBudget((uint*)count, (ExtensionProperties*)extensions);
        });
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.F32, layers: 8);
        Plan plan = Model.PlanOf(weights.Metadata, weights.Weights);
        using IBackend backend = Backend(driver);
        var told = new SortedSet<int>();
        bool fits = true;
        for (free = 64 << 20; free > 0; free -= 64 << 10)
        {
            string? why = backend.WhyNot(plan, weights.Weights);
            Assert.True(fits || why is not null);
            fits = why is null;
            if (why is null || !why.Contains("--gpu-layers", StringComparison.Ordinal)) continue;
            Assert.Matches(@"needs [\d,]+ MiB on the device and [\d,]+ MiB are free: [\d,]+ MiB are missing; ", why);
            int layers = int.Parse(why[(why.IndexOf("--gpu-layers ", StringComparison.Ordinal) + 13)..].Split(',')[0]);
            told.Add(layers);
            Assert.Null(backend.WhyNot(plan.Cut(plan.Layers[^layers]).Second, weights.Weights));
        }
        Assert.False(fits);
        Assert.True(told.Count > 1);
    }

    [MachineFact(Needs.Vulkan)]
    public void WhyNot_UsersChunkFitsAndTheProposedDoesNot_IsNothingAndLoads()
    {
        const int Chunk = 4;
        ulong free = 0;
        using var driver = new FailingVulkan((call, properties, count, extensions) =>
        {
            if (call == "vkGetPhysicalDeviceMemoryProperties2") Tell(properties, free);
            if (call == "vkEnumerateDeviceExtensionProperties") AddMemoryBudget((uint*)count, (ExtensionProperties*)extensions);
        });
        using TinyWeights weights = TinyModels.Make("mamba2-g3", QuantTypes.F32);
        Plan plan = Model.PlanOf(weights.Metadata, weights.Weights);
        using IBackend backend = Backend(driver);
        do free += 4 << 10;
        while (backend.WhyNot(plan, weights.Weights, Chunk) is not null);
        Assert.Contains("missing", backend.WhyNot(plan, weights.Weights));
        Assert.Contains("missing", Assert.Throws<NotSupportedException>(() => Model.Open(weights.Metadata, weights.Weights, backend)).Message);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { ChunkTokens = Chunk });
        Assert.Equal(Chunk, model.ChunkTokens);
    }

    private static VulkanBackend Backend(FailingVulkan driver) => new(driver.Instance, 0, new VulkanSettings { MappedMemory = false });

    private static TinyRun Run(FailingVulkan driver, string model, QuantType type) => new(() => Backend(driver), model, type);

    private static string? Refusal(Func<string, nint>? exports)
    {
        using VulkanInstance instance = VulkanInstance.Open(exports);
        Assert.Empty(instance.Devices);
        Assert.Equal(instance.WhyNot, instance.WhyNotDevice(0));
        return instance.WhyNot;
    }

    private static Func<string, nint> Exports(params (string Name, Delegate Function)[] functions) => name =>
    {
        foreach ((string known, Delegate function) in functions)
            if (known == name) return Marshal.GetFunctionPointerForDelegate(function);
        return 0;
    };

    /// <summary>Lists the extension, which lavapipe may not have.</summary>
    private static void AddMemoryBudget(uint* count, ExtensionProperties* to)
    {
        if (to is not null) "VK_EXT_memory_budget\0"u8.CopyTo(new Span<byte>(to[*count].ExtensionName, 256));
        ++*count;
    }

    private static void Tell(nint properties, ulong free)
    {
        for (var next = (BaseOutStructure*)properties; next is not null; next = next->PNext)
        {
            if (next->SType != StructureType.PhysicalDeviceMemoryBudgetPropertiesExt) continue;
            var budget = (PhysicalDeviceMemoryBudgetPropertiesEXT*)next;
            for (int heap = 0; heap < 16; heap++) (budget->HeapBudget[heap], budget->HeapUsage[heap]) = (free, 0);
        }
    }
}
