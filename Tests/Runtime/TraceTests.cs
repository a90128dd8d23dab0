using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Traces: what every op yields, and where two runs part.</summary>
public sealed class TraceTests
{
    public static TheoryData<string> Backends => [.. TestBackends.Names.Where(TestBackends.ShowsOps)];

    /// <summary>Every tensor of every model.</summary>
    public static TheoryData<string, string> Weights
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (string model in TinyModels.Names)
                foreach (TinyTensor tensor in TinyModels.Tensors(model)) rows.Add(model, tensor.Name);
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Trace_PromptOfSeveralChunks_ShowsEveryOpInOrderAndChangesNothing(string backend)
    {
        using var run = new TinyRun(backend, "mamba2-g3", QuantTypes.Q8_0, chunk: 4);
        int[] tokens = TinyModels.Tokens(10);
        using Session plain = run.Model.StartSession(), traced = run.Model.StartSession();
        var seen = new Recorder();

        float[] expected = plain.Feed(tokens).ToArray();
        float[] logits = traced.Trace(tokens, seen).ToArray();

        Assert.Equal(expected, logits);
        Assert.Equal(10, traced.Position);
        Op[] ops = run.Model.Plan.Ops.ToArray();
        Assert.Equal([.. ops, .. ops, .. ops], seen.Ops);
        Assert.Equal([4, 4, 2], seen.Rows.Where((_, i) => i % ops.Length == 0));
        Assert.Equal([0, 0, 1], seen.Rows.Where((_, i) => i % ops.Length == ops.Length - 1));
        Assert.Equal(logits, seen.Last);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Trace_EveryModelAndKindOfType_PartsNowhereFromTheReference(string backend)
    {
        foreach (string model in TinyModels.Names)
            foreach (QuantType type in new[] { QuantTypes.F32, QuantTypes.F16, QuantTypes.Q8_0, QuantTypes.Q4_0 })
            {
                using var run = new TinyRun(backend, model, type, chunk: 16);
                using var basis = new TinyRun(TestBackends.Reference, model, type, chunk: 16);
                var trace = new ModelTrace(run.Model, basis.Model);

                trace.Run(TinyModels.Tokens(37));

                OpTrace? parting = trace.FirstParting;
                Assert.True(parting is null, $"{model} {type}: {parting?.Op.Name} errs by {parting?.Error:g3}, {parting?.Allowed:g3} is allowed");
                Assert.All(trace.Ops, op => Assert.True(op.Rows > 0 && op.Norm > 0 && op.Min < op.Max && op.Error is not null));
            }
    }

    [Theory]
    [MemberData(nameof(Weights))]
    public void Trace_OneWeightChanged_PartsInTheOpThatReadsIt(string model, string tensor)
    {
        using TinyWeights right = TinyModels.Make(model, QuantTypes.F32);
        using TinyWeights wrong = TinyModels.WithOneChanged(model, QuantTypes.F32, tensor);
        using IBackend cpu = TestBackends.Create("cpu"), reference = TestBackends.Create(TestBackends.Reference);
        using Model changed = Model.Open(wrong.Metadata, wrong.Weights, cpu), basis = Model.Open(right.Metadata, right.Weights, reference);
        var trace = new ModelTrace(changed, basis);

        trace.Run([0, .. TinyModels.Tokens(24), 0]);   // token 0 reads the value that the table has first

        Op reader = changed.Plan.Ops.ToArray().First(op => op.Weights.Any(w => changed.Plan.Weights[w.Index].Name == tensor));
        Assert.Equal(reader.Name, trace.FirstParting?.Op.Name);
    }

    [Fact]
    public void Trace_ValueThatOverflows_TellsTheOpsBefore()
    {
        using var run = new TinyRun("cpu", "mamba-tied", QuantTypes.F32, edit: t => t.Name == "blk.0.ssm_out.weight" ? t with { High = 3e38f, Low = 2e38f } : t);
        var trace = new ModelTrace(run.Model);

        Assert.Throws<FormatException>(() => trace.Run([1, 2, 3]));

        OpTrace last = trace.Ops.Last(op => op.Rows > 0);
        Assert.Equal("blk.0.out", last.Op.Name);
    }

    [Fact]
    public void Trace_OtherNetwork_IsRefused()
    {
        using TinyRun one = new("cpu", "mamba-tied", QuantTypes.F32), other = new("cpu", "falcon", QuantTypes.F32);
        Assert.Throws<ArgumentException>(() => new ModelTrace(one.Model, other.Model));
    }

    [Fact]
    public void Trace_OnABackendThatShowsNoOps_IsRefusedAndHarmsNothing()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using var backend = new HookedBackend();
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend);
        using Session session = model.StartSession();
        session.Feed([1, 2]);

        Assert.Contains("hooked", Assert.Throws<NotSupportedException>(() => session.Trace([3], new Recorder())).Message);
        Assert.Contains("hooked", Assert.Throws<NotSupportedException>(() => session.Trace([3, 4], new Recorder())).Message);
        session.Feed([3]);
        Assert.Equal(3, session.Position);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Trace_ObserverThatFails_LeavesTheSessionAsItWas(string backend)
    {
        using var run = new TinyRun(backend, "mamba-tied", QuantTypes.F32);
        using Session session = run.Model.StartSession(), same = run.Model.StartSession();
        session.Feed([1, 2]);
        same.Feed([1, 2]);

        Assert.Throws<IOException>(() => session.Trace([3, 4], new Recorder { FailsAt = 5 }));

        Assert.Equal(2, session.Position);
        Assert.Equal(same.Feed([5]).ToArray(), session.Feed([5]).ToArray());
    }

    private sealed class Recorder : IOpObserver
    {
        public int FailsAt { get; init; } = -1;

        public List<Op> Ops { get; } = [];

        public List<int> Rows { get; } = [];

        public float[] Last { get; private set; } = [];

        public void Observe(Op op, ReadOnlySpan<float> values)
        {
            if (Ops.Count == FailsAt) throw new IOException("a planned failure");
            Ops.Add(op);
            Rows.Add(values.Length / op.Output.Width);
            Last = values.ToArray();
        }
    }
}
