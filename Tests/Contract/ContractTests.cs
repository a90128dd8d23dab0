using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Every case on every backend, cut in every way, against the reference fed one token at a time.</summary>
[TestCaseOrderer(InOrder.Name, InOrder.Assembly)]
public sealed class ContractTests
{
    /// <summary>Every case on every backend.</summary>
    public static TheoryData<string, string> Cases
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (OpCase op in OpCases.All)
                foreach (string backend in TestBackends.Devices)
                    if (backend != TestBackends.VulkanDots || op.Name.StartsWith("linear", StringComparison.Ordinal) || op.Name.Contains("scan", StringComparison.Ordinal)) rows.Add(backend, op.Name);   // others run as on "vulkan"
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Op_CutInAnyWay_GivesOutputsAndStatesOfTheReference(string backend, string name)
    {
        using IBackend device = TestBackends.Create(backend);
        ContractCheck.Obeys(device, backend, OpCases.ByName(name), TestBackends.RoundsToHalves(backend));
    }

    /// <summary>Logits lie apart from other values; their scale is applied there.</summary>
    [Fact]
    public void Head_Scaled_GivesScaledLogits()
    {
        foreach (string name in TestBackends.Devices)
        {
            float[] plain = Logits(name, 1), scaled = Logits(name, 0.125f);
            Assert.Equal(plain.Select(v => v * 0.125f), scaled);   // a power of two: exact
        }

        static float[] Logits(string backendName, float scale)
        {
            var builder = new CaseBuilder("head");
            using MemoryWeights weights = builder.Weights;
            Activation rows = builder.Plan.SelectOutputs("outputs", builder.Input(48));
            Plan plan = builder.Plan.Build(builder.Plan.Linear("head", rows, builder.Matrix("weight", QuantTypes.F32, 5003, 48), scale: scale));
            using IBackend backend = TestBackends.Create(backendName);
            var cut = new BatchCut("3 rows", [[new Piece(0, 3)]]);
            return [.. CaseRun.Run(backend, new PreparedCase(plan, weights), cut).Rows[0].SelectMany(row => row!)];
        }
    }

    [Fact]
    public void Cases_EveryOpOfTheContract_IsCovered()
    {
        string[] kinds = [.. OpCases.All.Select(c => c.Name.Split(' ')[0]).Distinct()];
        Assert.Equal(typeof(IScanContract).GetMethods().Length, kinds.Length);
        Assert.Equal(OpCases.All.Count, OpCases.All.Select(c => c.Name).Distinct().Count());
    }
}
