namespace MambaRT.Tests;

/// <summary>Holds a device to the contract in one case.</summary>
internal static class ContractCheck
{
    /// <summary>The case that was checked last, as the reference runs it: backends follow each other case by case (<see cref="InOrder"/>).</summary>
    private static Expectation? _last;

    /// <summary>Runs a case cut in every way, and compares outputs and states with those of the reference fed one token at a time.</summary>
    /// <param name="device">What is checked.</param>
    /// <param name="backend">Its name.</param>
    /// <param name="op">The case.</param>
    /// <param name="roundsToHalves">Whether it rounds activations to 16 bits beside weights of 16 bits where there are many rows.</param>
    public static void Obeys(IBackend device, string backend, OpCase op, bool roundsToHalves)
    {
        using PreparedCase prepared = op.Prepare();
        CaseResult[] allExpected = Expected(op, prepared);
        // The reference must not depend on the cut at all.
        bool same = backend == TestBackends.Reference;
        Bound output = same ? new Bound(0, "the reference computes each row alone") : OpCases.OutputBound(op, roundsToHalves);
        Bound state = same ? new Bound(0, "the reference advances a state token by token") : op.State;
        // Rows without a state are compared all together: the sum of one narrow row alone may cancel to nearly nothing.
        var rows = new Comparison($"{backend}: {op.Name}, output", output);
        foreach ((BatchCut cut, CaseResult expected) in op.Cuts.Zip(allExpected))
        {
            CaseResult got = CaseRun.Run(device, prepared, cut);
            for (int s = 0; s < BatchCut.Sequences; s++)
            {
                for (int t = 0; t < cut.Length(s); t++)
                    if (got.Rows[s][t] is float[] row) rows.Add(expected.Rows[s][t]!, row, $"cut '{cut.Name}', sequence {s}, position {t}");
                if (cut.Length(s) == 0) continue;
                foreach (StateSpec spec in prepared.Plan.States.Entries)
                {
                    int start = (int)spec.CanonicalOffset, end = start + (int)spec.Count;
                    var values = new Comparison($"{backend}: {op.Name}, state '{spec.Name}' [{spec.Rows}, {spec.Columns}]", state);
                    values.Add(expected.States[s][start..end], got.States[s][start..end], $"cut '{cut.Name}', sequence {s}");
                    values.Check();
                }
            }
            if (prepared.Plan.States.Floats == 0) continue;
            rows.Check();
            rows = new Comparison($"{backend}: {op.Name}, output", output);
        }
        rows.Check();
    }

    private static CaseResult[] Expected(OpCase op, PreparedCase prepared)
    {
        if (_last is { } last && ReferenceEquals(last.Op, op)) return last.OfCuts;
        using IBackend reference = TestBackends.Create(TestBackends.Reference);
        CaseResult[] ofCuts = [.. op.Cuts.Select(cut => CaseRun.OneByOne(reference, prepared, cut))];
        _last = new Expectation(op, ofCuts);
        return ofCuts;
    }

    private sealed record Expectation(OpCase Op, CaseResult[] OfCuts);
}
