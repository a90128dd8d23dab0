using MambaRT.Backends.Cuda;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The kernels that do several ops of a step at once: which ops they join, how they share work out, and what they yield.</summary>
public sealed class CudaStepTests
{
    private const int MostShared = 227 << 10;

    public static TheoryData<string, string> Models
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (string model in TinyModels.Names)
                foreach (string type in new[] { "F16", "BF16", "Q8_0" }) rows.Add(model, type);
            return rows;
        }
    }

    // A rank of 4 is too narrow for the scan's kernel, three groups are too many for the product's.
    [Theory]
    [InlineData("mamba-tied", "norm+in+conv x dt scan out")]
    [InlineData("mamba-untied-biases", "norm+in+conv x dt scan out")]
    [InlineData("falcon", "norm+in+conv x dt_norm b_norm c_norm dt scan out")]
    [InlineData("mamba2-g1", "norm+in+conv scan gate+out")]
    [InlineData("mamba2-g3", "norm+in+conv scan gate out")]
    public void Groups_OfEachArchitecture_JoinNeighbours(string model, string expected)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F16);
        Plan plan = Architecture.Record(weights.Metadata, weights.Weights);

        Assert.Equal(expected, FoundGroups.OfTheFirstLayer(plan, StepRules.Groups(plan, w => PlanKernels.FormOf(plan, w, weights.Weights) ?? default)));
    }

    [Theory]
    [InlineData("F16", 8)]
    [InlineData("F16", 1)]
    [InlineData("BF16", 1)]
    [InlineData("Q8_0", 1)]
    [InlineData("Q4_K", 1)]
    [InlineData("Q5_K", 1)]
    [InlineData("Q6_K", 1)]
    public void Shape_OfAnySize_CoversTheMatrixOnce(string form, int sequences)
    {
        foreach (int columns in new[] { 256, 768, 1536, 2048, 2560, 4096, 5120 })
            foreach (int outputs in new[] { 1, 33, 80, 192, 768, 3352, 10240, 50280, 256000 })
                foreach (int multiProcessors in new[] { 4, 40, 132 })
                {
                    var sizes = new KernelSizes { Columns = columns, Outputs = outputs, Sequences = sequences, Taps = outputs % 3, ConvCount = outputs };
                    if (StepShape.For(new WeightForm(form, WeightLayout.AsStored), sizes, multiProcessors, MostShared) is not StepShape shape) continue;
                    KernelSizes s = shape.Sizes;
                    int step = form is "F16" or "BF16" ? 32 : (shape.IsWhole ? 2048 : form == "Q8_0" ? 512 : 1024) / s.TileRows, ofBlock = s.Units * s.Abreast * s.TileRows;
                    Assert.True(shape.Blocks * ofBlock >= outputs && (shape.Blocks - 1) * ofBlock < outputs, $"{outputs} rows in {shape.Blocks} blocks of {ofBlock}");
                    Assert.True(s.Split * s.Steps * step >= columns && (s.Split - 1) * s.Steps * step < columns, $"{columns} columns in {s.Split} pieces of {s.Steps} steps");
                    Assert.True(s.Spans * s.Depth == s.PerRound * s.Steps && (s.Spans == 1 || s.PerRound == 1) && s.Split * s.Abreast == s.Warps, s.ToString());
                    Assert.True(s.Rounds * s.PerRound >= s.Spans * s.Units && (s.Rounds - s.Spans) * s.PerRound < s.Spans * s.Units, s.ToString());
                    Assert.True((s.Taps == 0 || (sequences > 1 && columns > 1024) || ofBlock * sequences <= shape.Threads) && shape.SharedBytes <= MostShared, s.ToString());
                }
    }

    /// <summary>in_proj with its convolution of mamba-1.4b and 2.8b: more blocks than there are multiprocessors would each bring x anew, one round after the other.</summary>
    [Theory]
    [InlineData(2048, 8192)]
    [InlineData(2560, 10240)]
    public void Shape_OfSeveralSequences_TakesOneRoundOfBlocks(int columns, int outputs)
    {
        const int MultiProcessors = 132;
        var sizes = new KernelSizes { Columns = columns, Outputs = outputs, Sequences = 8, Taps = 4, ConvCount = outputs / 2 };
        Assert.True(StepShape.For(new WeightForm("F16", WeightLayout.AsStored), sizes, MultiProcessors, MostShared) is { Blocks: <= MultiProcessors });
    }

    [MachineTheory(Needs.Cuda)]
    [MemberData(nameof(Models))]
    public void FeedBatch_OfAnyCount_EqualsTheReference(string model, string type)
    {
        // Through two layers: activations in 8 bits; in two halves of 8 bits each; float32 sums in another order.
        StepBatches.EqualTheReference("cuda", model, QuantTypes.ByName(type)!, type switch { "Q8_0" => 6e-2, "BF16" => 4e-5, _ => 1e-5 });
    }
}
