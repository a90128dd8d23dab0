using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>How the Vulkan backend shares work out: ops that a step of decode does together, products, scans, and products by matrices.</summary>
public sealed class VulkanStepTests
{
    public static TheoryData<string, string, string> Models
    {
        get
        {
            var rows = new TheoryData<string, string, string>();
            foreach (string backend in new[] { "vulkan", "vulkan:plain", TestBackends.VulkanDots }.Where(b => b != TestBackends.VulkanDots || TestBackends.Devices.Contains(b)))
                foreach (string model in TinyModels.Names)
                    foreach (string type in new[] { "F16", "Q8_0" }) rows.Add(backend, model, type);
            return rows;
        }
    }

    /// <summary>Of each kind of form some, with columns that are no whole steps, in one tile and several.</summary>
    public static TheoryData<string> Products =>
    [
        "linear F16 in=48 out=33", "linear F16 in=256 out=256", "linear F16 in=1552 out=48", "linear Q8_0 in=96 out=33", "linear Q8_0 in=1536 out=256",
        "linear Q4_K in=256 out=48", "linear IQ2_XS in=256 out=33", "linear BF16 in=48 out=33",
    ];

    /// <summary>Of weights of 16 bits, beside which activations keep the precision of float32.</summary>
    public static TheoryData<string> ExactProducts =>
    [
        "linear F16 in=48 out=33", "linear F16 in=1552 out=48", "linear F16 window in=256 out=49 bias and addTo", "linear F16 in=256 out=256 scale, bias and addTo",
        "linear BF16 in=48 out=33", "linear BF16 in=1552 out=48", "linear BF16 window in=256 out=49 bias and addTo", "linear Q8_0 in=96 out=33",
    ];

    // A rank of 4 is too narrow to be joined, three groups are too many.
    [Theory]
    [InlineData("mamba-tied", "norm+in+conv x dt scan out")]
    [InlineData("falcon", "norm+in+conv x dt_norm b_norm c_norm dt scan out")]
    [InlineData("mamba2-g1", "norm+in+conv scan gate+out")]
    [InlineData("mamba2-g3", "norm+in+conv scan gate out")]
    public void Groups_OfEachArchitecture_JoinNeighbours(string model, string expected)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F16);
        Plan plan = Architecture.Record(weights.Metadata, weights.Weights);

        Assert.Equal(expected, FoundGroups.OfTheFirstLayer(plan, StepDispatches.Groups(plan)));
    }

    [Theory]
    [InlineData("F32", 1, 16 << 10)]
    [InlineData("F16", 1, 16 << 10)]
    [InlineData("F16", 32, 48 << 10)]
    [InlineData("F16", 64, 32 << 10)]
    [InlineData("Q8_0", 8, 32 << 10)]
    [InlineData("Q4_K", 32, 48 << 10)]
    [InlineData("Q4_K", 8, 16 << 10, true)]
    [InlineData("Q8_0", 32, 48 << 10, true)]
    public void ProductShape_OfAnySize_CoversTheMatrixWithinSharedMemory(string form, int subgroup, int sharedBytes, bool rounds = false)
    {
        foreach (int columns in new[] { 16, 48, 256, 768, 1536, 2048, 2560, 5120, 8192 })
            foreach (int count in new[] { 1, 33, 80, 192, 768, 3352, 10240, 50280 })
                foreach (int rows in new[] { 1, 2, 5, 8, 16 })
                {
                    var place = new WeightPlace(new WeightForm(form, WeightLayout.AsStored), default, default, count, columns, columns, 0);
                    var s = ProductShape.For(place, wide: true, rows, subgroup, sharedBytes, rounds);
                    int chunks = (columns + s.Chunk - 1) / s.Chunk, steps = (s.Chunk / s.Unit + s.Lanes * s.Depth - 1) / (s.Lanes * s.Depth) * s.Depth;
                    long bytes = (long)s.Tokens * steps * s.Lanes * (rounds ? 22 : 4 * s.Unit) + 4 * s.Addends * (s.Rows * s.Tokens + 1);
                    Assert.True(bytes <= sharedBytes && chunks * (long)s.Chunk >= columns && (chunks - 1) * (long)s.Chunk < columns, $"{bytes} bytes, {columns} columns: {s}");
                    Assert.True(s.Chunk % s.Unit == 0 && s.Rows * s.Tokens <= s.Lanes && s.Lanes % subgroup == 0 && s.Threads % s.Lanes == 0 && s.Threads <= 256, s.ToString());
                    Assert.Equal(s.Threads / subgroup, s.Addends);
                }
    }

    [Theory]
    [InlineData("F16", 4)]
    [InlineData("Q8_0", 8)]
    [InlineData("F32", 16)]
    [InlineData("Q4_K", 64)]
    public void ProductShape_OfTexels_HasAThreadForEachResult(string form, int subgroup)
    {
        foreach (int rows in new[] { 1, 2, 3, 5, 8, 16 })
        {
            var place = new WeightPlace(new WeightForm(form, WeightLayout.AsStored), default, default, 80, 768, 768, 0);
            var s = ProductShape.OfTexels(place, wide: true, rows, subgroup);
            Assert.True(s.Rows * s.Tokens <= s.Lanes && s.Lanes % subgroup == 0 && s.Threads % s.Lanes == 0 && s.Tokens <= ProductShape.MostTokens, s.ToString());
            Assert.Equal((768, s.Threads / subgroup), (s.Chunk, s.Addends));
        }
    }

    [Fact]
    public void ScanShape_OfAnySize_HasAllStatesWithinSharedMemory()
    {
        foreach ((int channels, int ofGroup) in new[] { (24, 24), (1536, 1536), (5120, 5120), (96, 32), (90, 30), (8192, 1024) })
            foreach (int states in new[] { 1, 4, 16, 24, 32, 64, 128 })
                foreach (int ofHead in new[] { 0, 6, 16, 64 })
                    foreach ((int sharedBytes, int mostThreads) in new[] { (16 << 10, 0), (32 << 10, 0), (48 << 10, 0), (48 << 10, 256), (48 << 10, 1024) })
                    {
                        var s = ScanShape.For(states, channels, ofGroup, ofHead, sharedBytes, mostThreads);
                        int threads = ScanShape.Threads, groups = threads / s.Lanes, plane = s.Across > 1 ? threads + groups : threads;
                        int inputs = s.Across > 1 ? 2 * s.Steps + s.Steps * s.Channels : 2 * s.Steps * s.Channels, unused = s.Across > 1 ? 0 : 8;   // the arrays of scan.comp
                        int bytes = (s.Servers > 0 ? 2 : 1) * 4 * (inputs + 2 * s.Steps * s.Own * s.Lanes + s.Steps * s.Across * plane) + unused;
                        Assert.True(s.Own * s.Lanes >= states && s.Own % 2 == 0 && s.Steps % 8 == 0 && bytes <= sharedBytes && ScanShape.Threads + s.Servers <= Math.Max(ScanShape.Threads, mostThreads), $"{states} states, {bytes} bytes: {s}");
                        Assert.True(ofGroup == channels || ofGroup % s.Channels == 0, $"{ofGroup} channels read the same: {s}");
                        Assert.True(s.Across == 1 || (ofHead > 0 && ofHead % s.Channels == 0 && s.Across % 2 == 0 && s.Across <= s.Lanes), $"{ofHead} channels decay alike: {s}");
                    }
    }

    /// <summary>Through two layers: activations in 8 bits; float32 sums in another order.</summary>
    [MachineTheory(Needs.Vulkan)]
    [MemberData(nameof(Models))]
    public void FeedBatch_OfAnyCount_EqualsTheReference(string backend, string model, string type) =>
        StepBatches.EqualTheReference(backend, model, QuantTypes.ByName(type)!, type == "Q8_0" && TestBackends.RoundsActivations(backend) ? 6e-2 : 1e-5);

    /// <summary>An op before a product by matrices writes the halves that this reads, and floats where something else reads them.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData("norm")]
    [InlineData("gated norm")]
    [InlineData("conv")]
    [InlineData("conv, read twice")]
    [InlineData("selective scan")]
    [InlineData("ssd scan")]
    public void Linear_ByMatricesBehindAnOp_ObeysTheContract(string maker)
    {
        const int Width = 64;
        var rounded = new Bound(OpBounds.HalfInputs, "inputs of the product are rounded to F16");
        var floats = new Bound(OpBounds.Floats, "the op before reads floats");
        var op = new OpCase(maker, rounded, floats,
        [
            new BatchCut("70 rows", [[new Piece(0, 70)]]),
            new BatchCut("two sequences in turn", [[new Piece(0, 20), new Piece(1, 3)], [new Piece(1, 1), new Piece(0, 1)], [new Piece(0, 1), new Piece(1, 19)]]),
        ], b =>
        {
            Activation x = b.Input(4 * Width), y = Made(b, maker.Split(',')[0], x);
            Activation product = b.Plan.Linear("linear", y, b.Matrix("weight", QuantTypes.F16, Width, Width));
            return maker.EndsWith("twice", StringComparison.Ordinal) ? b.Plan.GatedRmsNorm("again", product, y, b.Vector("again", Width, 0.5f, 1.5f), 1, 1e-5f) : product;
        });
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { EmulatedMatrices = true });
        ContractCheck.Obeys(backend, "vulkan, matrices", op, roundsToHalves: true);

        static Activation Made(CaseBuilder b, string maker, Activation x)
        {
            Activation first = x.Columns(0, Width), second = x.Columns(Width, Width), third = x.Columns(2 * Width, Width), small = x.Columns(3 * Width, 16), other = x.Columns(3 * Width + 16, 16);
            return maker switch
            {
                "norm" => b.Plan.RmsNorm("norm", first, b.Vector("norm", Width, 0.5f, 1.5f), 1e-5f),
                "gated norm" => b.Plan.GatedRmsNorm("norm", first, second, b.Vector("norm", Width, 0.5f, 1.5f), 1, 1e-5f),
                "conv" => b.Plan.CausalConv("conv", first, b.Small("taps", Width, 4, -1, 1), b.Vector("bias", Width, -1, 1), b.Plan.ConvWindow("conv", Width, 4)),
                "selective scan" => b.Plan.SelectiveScan("scan", first, second, small, other, third, b.Small("A", Width, 16, -8, -0.1f), b.Vector("D", Width, -1, 1),
                    b.Vector("dt_bias", Width, -4, 1), b.Plan.ScanState("scan", Width, 16)),
                _ => b.Plan.SsdScan("scan", first, x.Columns(Width, 4), small, other, b.Vector("A", 4, -8, -0.1f), b.Vector("D", 4, -1, 1), b.Vector("dt_bias", 4, -4, 1),
                    b.Plan.ScanState("scan", Width, 16), 1),
            };
        }
    }

    /// <summary>Where a device has no cooperative matrices, shaders do what these would; all around them is what runs with them. Tiles are large where one multiprocessor has all.</summary>
    [MachineTheory(Needs.Vulkan)]
    [MemberData(nameof(Products))]
    public void Linear_ByMatrices_ObeysTheContract(string name)
    {
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { EmulatedMatrices = true, Multiprocessors = 1 });
        ContractCheck.Obeys(backend, "vulkan, matrices", OpCases.ByName(name), roundsToHalves: true);
    }

    /// <summary>The same where activations keep the precision of float32: within the bound of floats.</summary>
    [MachineTheory(Needs.Vulkan)]
    [MemberData(nameof(ExactProducts))]
    public void Linear_ByMatricesOfSplitRows_ObeysTheContractOfFloats(string name)
    {
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { EmulatedMatrices = true, Exact = true, Multiprocessors = 1 });
        ContractCheck.Obeys(backend, "vulkan:exact, matrices", OpCases.ByName(name), roundsToHalves: false);
    }

    /// <summary>Halves reach from 6e-8 to 65,504: rows are brought there by powers of two.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData("F16", 1e9f)]
    [InlineData("F16", 1e-12f)]
    [InlineData("BF16", 1e12f)]
    public void Linear_BySplitRowsBeyondTheRangeOfHalves_ObeysTheContractOfFloats(string type, float size)
    {
        var floats = new Bound(OpBounds.Floats, "rows are scaled before they are split");
        var op = new OpCase($"linear {type} of {size}", floats, floats, [new BatchCut("70 rows", [[new Piece(0, 70)]])],
            b => b.Plan.Linear("linear", b.Input(96, size), b.Matrix("weight", QuantTypes.ByName(type)!, 33, 96)));
        using var backend = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { EmulatedMatrices = true, Exact = true });
        ContractCheck.Obeys(backend, "vulkan:exact, matrices", op, roundsToHalves: false);
    }
}
