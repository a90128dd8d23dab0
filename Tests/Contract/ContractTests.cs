using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Every case on every backend, cut in every way, against the reference fed one token at a time.</summary>
public sealed class ContractTests
{
    /// <summary>Every case on every backend but those that it refuses by name, as PlanCutTests checks.</summary>
    public static TheoryData<string, string> Cases
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (OpCase op in OpCases.All)
                foreach (string backend in TestBackends.Devices)
                    if (!op.IsScaled || TestBackends.Scales(backend)) rows.Add(backend, op.Name);
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Op_CutInAnyWay_GivesOutputsAndStatesOfTheReference(string backend, string name)
    {
        OpCase op = OpCases.ByName(name);
        using PreparedCase prepared = op.Prepare();
        using IBackend device = TestBackends.Create(backend), reference = TestBackends.Create(TestBackends.Reference);
        // The reference must not depend on the cut at all.
        bool same = backend == TestBackends.Reference;
        Bound output = same ? new Bound(0, "the reference computes each row alone") : OpCases.OutputBound(op, TestBackends.RoundsToHalves(backend));
        Bound state = same ? new Bound(0, "the reference advances a state token by token") : op.State;
        // Rows without a state are compared all together: the sum of one narrow row alone may cancel to nearly nothing.
        var rows = new Comparison($"{backend}: {name}, output", output);
        foreach (BatchCut cut in op.Cuts)
        {
            CaseResult expected = CaseRun.OneByOne(reference, prepared, cut), got = CaseRun.Run(device, prepared, cut);
            for (int s = 0; s < BatchCut.Sequences; s++)
            {
                for (int t = 0; t < cut.Length(s); t++)
                    if (got.Rows[s][t] is float[] row) rows.Add(expected.Rows[s][t]!, row, $"cut '{cut.Name}', sequence {s}, position {t}");
                if (cut.Length(s) == 0) continue;
                foreach (StateSpec spec in prepared.Plan.States.Entries)
                {
                    int start = (int)spec.CanonicalOffset, end = start + (int)spec.Count;
                    var values = new Comparison($"{backend}: {name}, state '{spec.Name}' [{spec.Rows}, {spec.Columns}]", state);
                    values.Add(expected.States[s][start..end], got.States[s][start..end], $"cut '{cut.Name}', sequence {s}");
                    values.Check();
                }
            }
            if (prepared.Plan.States.Floats == 0) continue;
            rows.Check();
            rows = new Comparison($"{backend}: {name}, output", output);
        }
        rows.Check();
    }

    /// <summary>Logits lie apart from other values; their scale is applied there.</summary>
    [Fact]
    public void Head_Scaled_GivesScaledLogits()
    {
        foreach (string name in TestBackends.Devices.Where(TestBackends.Scales))
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
