using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Products of few rows by integer dot products: what rounding leaves as it is comes out as exact as floats, and who asks for more than that gets no bytes.</summary>
public sealed class VulkanDotTests
{
    private static readonly VulkanSettings Dots = new() { SlowIntegerDot = true };

    /// <summary>One of each layout, with offsets and without, of one block of 32 and many, in one piece of columns and several.</summary>
    public static TheoryData<string, int> Products =>
        new() { { "Q8_0", 32 }, { "Q8_0", 96 }, { "Q8_0", 1536 }, { "Q4_0", 96 }, { "Q5_1", 96 }, { "IQ4_NL", 1536 }, { "IQ4_XS", 256 }, { "Q2_K", 256 }, { "Q3_K", 256 }, { "Q4_K", 1536 }, { "Q6_K", 512 }, { "IQ2_S", 1536 } };

    /// <summary>Whole numbers up to 127 times a power of two of each block: where each value meets the scale of its block nothing is lost.</summary>
    [MachineTheory(Needs.Vulkan)]
    [MemberData(nameof(Products))]
    public void Linear_OfWholeNumbersOfEachBlock_ObeysTheContractOfFloats(string type, int width)
    {
        var floats = new Bound(OpBounds.Floats, "x is what its bytes and scales say; sums in another order");
        var op = new OpCase($"linear {type} of whole numbers", floats, floats,
        [
            new BatchCut("1 row", [[new Piece(0, 1)], [new Piece(0, 1)]]),
            new BatchCut("13 rows", [[new Piece(0, 13)]]),
            new BatchCut("two sequences", [[new Piece(0, 2), new Piece(1, 1)]]),
        ], b => b.Plan.Linear("linear", b.Input(width, 1, Whole), b.Matrix("weight", QuantTypes.ByName(type)!, 49, width)));
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, Dots);
        ContractCheck.Obeys(backend, "vulkan, dots", op, roundsToHalves: false);

        static float? Whole(int row, int column) =>
            (column % 32 == (row + column / 32) % 32 ? 127 : (31 * row + 17 * column) % 255 - 127) * MathF.ScaleB(1, (row + column / 32) % 5 - 2);
    }

    /// <summary>Blocks are divided by their largest value, whatever that is.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData(1e-20f)]
    [InlineData(1e20f)]
    public void Linear_OfValuesFarFromOne_ObeysTheContract(float size)
    {
        var rounded = new Bound(OpBounds.RoundedInputs, "inputs of the product are rounded to 8 bits");
        var op = new OpCase($"linear of {size}", rounded, rounded, [new BatchCut("3 rows", [[new Piece(0, 3)]])],
            b => b.Plan.Linear("linear", b.Input(96, size), b.Matrix("weight", QuantTypes.Q8_0, 33, 96)));
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, Dots);
        ContractCheck.Obeys(backend, "vulkan, dots", op, roundsToHalves: false);
    }

    [MachineFact(Needs.Vulkan)]
    public void Settings_ThatLeaveDotsOut_RoundNothing()
    {
        foreach (VulkanSettings settings in new[] { Dots with { IntegerDot = false }, Dots with { Exact = true }, Dots with { Subgroups = false }, VulkanSettings.Plain })
        {
            using var backend = new VulkanBackend(VulkanLoader.Instance, 0, settings);
            Assert.False(backend.RoundsActivations, settings.ToString());
            Assert.DoesNotContain("integer dot products", backend.Description, StringComparison.Ordinal);
        }
    }

    [MachineFact(Needs.Vulkan)]
    public void Description_OfADeviceThatMultipliesBytes_SaysSoWhereTheyAreUsed()
    {
        foreach (VulkanSettings settings in new[] { new VulkanSettings(), Dots })
        {
            using var backend = new VulkanBackend(VulkanLoader.Instance, 0, settings);
            DotSupport least = settings.SlowIntegerDot ? DotSupport.TakenApart : DotSupport.Accelerated;
            Assert.Equal(VulkanLoader.Instance.Devices[0].Dots >= least, backend.RoundsActivations);
            Assert.Equal(backend.RoundsActivations, backend.Description.Contains("integer dot products", StringComparison.Ordinal));
        }
    }
}
