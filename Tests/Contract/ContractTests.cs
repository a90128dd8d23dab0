using Xunit;

namespace MambaRT.Tests;

/// <summary>Every case on every backend, cut in every way, against the reference fed one token at a time.</summary>
public sealed class ContractTests
{
    public static TheoryData<string, string> Cases => TestBackends.With(OpCases.All.Select(c => c.Name));

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

    [Fact]
    public void Cases_EveryOpOfTheContract_IsCovered()
    {
        string[] kinds = [.. OpCases.All.Select(c => c.Name.Split(' ')[0]).Distinct()];
        Assert.Equal(typeof(IScanContract).GetMethods().Length, kinds.Length);
        Assert.Equal(OpCases.All.Count, OpCases.All.Select(c => c.Name).Distinct().Count());
    }
}
