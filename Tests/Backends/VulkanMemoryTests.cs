using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What a model is said to take of a device before it is loaded is what it takes.</summary>
public sealed class VulkanMemoryTests
{
    private const int Chunk = 64;

    /// <summary>Weights, whether activations keep the precision of float32, and whether products of many rows go by matrices of halves then.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData("F32", false, false)]
    [InlineData("F16", false, true)]
    [InlineData("F16", true, true)]
    [InlineData("BF16", false, true)]
    [InlineData("BF16", true, true)]
    [InlineData("Q8_0", false, true)]
    [InlineData("Q8_0", true, false)]
    public void Estimate_OfHalves_IsWhatIsTaken(string type, bool exact, bool byMatrices)
    {
        (long told, long taken) = Scratch(type, new VulkanSettings { EmulatedMatrices = true, Exact = exact });
        (long toldOfTiles, long takenOfTiles) = Scratch(type, VulkanSettings.Plain);
        Assert.Equal(byMatrices, taken > takenOfTiles);
        Assert.Equal(taken - takenOfTiles, told - toldOfTiles);
    }

    private static (long Told, long Taken) Scratch(string type, VulkanSettings settings)
    {
        var options = new LoadOptions { Slots = 1, ChunkTokens = Chunk };
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.ByName(type)!);
        Plan plan = Architecture.Record(weights.Metadata, weights.Weights);
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, settings);
        long told = backend.Estimate(plan, weights.Weights, options).Scratch;
        using ILoadedModel model = backend.Load(plan, weights.Weights, options);
        using IExecutable run = model.Compile(new BatchShape(Chunk, 1, 1));
        return (told, model.Memory.Scratch);
    }
}
