using MambaRT.Runtime;
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
        Bound output = same ? new Bound(0, "the reference computes each row alone") : op.Output;
        Bound state = same ? new Bound(0, "the reference advances a state token by token") : op.State;
        foreach (BatchCut cut in op.Cuts)
        {
            CaseResult expected = CaseRun.OneByOne(reference, prepared, cut), got = CaseRun.Run(device, prepared, cut);
            for (int s = 0; s < BatchCut.Sequences; s++)
            {
                string subject = $"{backend}: {name}, cut '{cut.Name}', sequence {s}";
                CheckRows($"{subject}, output", output, expected.Rows[s], got.Rows[s]);
                if (cut.Length(s) > 0) CheckStates(subject, state, prepared.Plan.States, expected.States[s], got.States[s]);
            }
        }
    }

    [Fact]
    public void Cases_EveryOpOfTheContract_IsCovered()
    {
        string[] kinds = [.. OpCases.All.Select(c => c.Name.Split(' ')[0]).Distinct()];
        Assert.Equal(typeof(IScanContract).GetMethods().Length, kinds.Length);
        Assert.Equal(OpCases.All.Count, OpCases.All.Select(c => c.Name).Distinct().Count());
    }

    private static void CheckRows(string subject, Bound bound, float[]?[] expected, float[]?[] got)
    {
        // Rows that are not wanted are in neither; the reference computes them all.
        int[] wanted = [.. Enumerable.Range(0, got.Length).Where(i => got[i] is not null)];
        if (wanted.Length == 0) return;
        int width = got[wanted[0]]!.Length;
        Check(subject, bound, [.. wanted.SelectMany(i => expected[i]!)], [.. wanted.SelectMany(i => got[i]!)], i => $"position {wanted[i / width]}, column {i % width}");
    }

    private static void CheckStates(string subject, Bound bound, StateLayout layout, float[] expected, float[] got)
    {
        foreach (StateSpec spec in layout.Entries)
        {
            int start = (int)spec.CanonicalOffset, end = start + (int)spec.Count;
            Check($"{subject}, state '{spec.Name}' [{spec.Rows}, {spec.Columns}]", bound, expected[start..end], got[start..end], i => $"channel {i / spec.Columns}, column {i % spec.Columns}");
        }
    }

    private static void Check(string subject, Bound bound, float[] expected, float[] got, Func<int, string> place)
    {
        double error = 0, total = 0, worst = -1;
        int at = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)expected[i] - got[i]);
            if (double.IsNaN(difference)) difference = double.PositiveInfinity;
            error += difference * difference;
            total += (double)expected[i] * expected[i];
            if (difference <= worst) continue;
            worst = difference;
            at = i;
        }
        double nmse = error == 0 ? 0 : error / total;
        if (nmse > bound.Nmse)
            Assert.Fail($"{subject}: error {nmse:g3} is above {bound.Nmse:g3} ({bound.Reason}); worst at {place(at)}: expected {expected[at]:g9}, got {got[at]:g9}.");
    }
}
