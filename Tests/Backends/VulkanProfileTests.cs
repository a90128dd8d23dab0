using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What kernels of the Vulkan backend took, where that is asked for.</summary>
public sealed class VulkanProfileTests
{
    [MachineTheory(Needs.Vulkan)]
    [InlineData(0)]
    [InlineData(1)]
    public void Profile_OfAPromptAndSteps_NamesEachKernelAndChangesNothing(int relayGroups)
    {
        using TinyWeights weights = TinyModels.Make(TinyModels.Ranked, QuantTypes.F16);
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { RelayGroups = relayGroups, Relay = relayGroups > 0 });
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { Architectures = TinyModels.Architectures });
        using Session plain = model.StartSession(), timed = model.StartSession();
        int[] tokens = TinyModels.Tokens(9);
        float[] expected = [.. plain.Feed(tokens).ToArray(), .. plain.Feed([1]).ToArray(), .. plain.Feed([2]).ToArray()];
        KernelProfile prompt = new(), steps = new();

        backend.Profile = prompt;
        float[] got = timed.Feed(tokens).ToArray();
        backend.Profile = steps;
        got = [.. got, .. timed.Feed([1]).ToArray(), .. timed.Feed([2]).ToArray()];
        backend.Profile = null;

        Assert.Equal(expected, got);
        Assert.All(new[] { prompt, steps }, profile =>
        {
            Assert.All(profile.Kernels, k => Assert.True(k.Milliseconds >= 0 && k.Launches > 0, k.ToString()));
            Assert.Contains(profile.Kernels, k => k.Op is LinearOp);
            Assert.True(profile.Of(op => op is SelectiveScanOp) > 0);
        });
        Assert.Equal(relayGroups > 0, steps.Kernels.Any(k => k is { Name: "a step: relay", Op: null, Launches: 2 }));
        Assert.Equal(relayGroups > 0, steps.Kernels.Any(k => k.Name.Contains("were there", StringComparison.Ordinal)));
        Assert.Null(backend.Profile);
    }

    [MachineFact(Needs.Vulkan)]
    public void Profile_OfPicks_NamesThem()
    {
        using TinyWeights weights = TinyModels.Make("mamba2-g1", QuantTypes.F16);
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings());
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { Architectures = TinyModels.Architectures });
        using Session session = model.StartSession();
        backend.Profile = new KernelProfile();
        session.Feed([1]);
        int[] picked = [2];
        model.PickBatch([session], picked, [new TokenPick(0)], picked);
        Assert.Contains(backend.Profile.Kernels, k => k.Op is null && k.Name.Contains("pick", StringComparison.Ordinal));
    }
}
