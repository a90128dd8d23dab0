using BenchmarkDotNet.Attributes;
using MambaRT.Backends.Cpu;
using MambaRT.Tests;

namespace MambaRT.Bench.Kernels;

/// <summary>Times single ops on the cpu backend: cases of the scan contract, as large as a model's.</summary>
/// <remarks>A run looks up its rows in a float table, does the op and takes one row of its output. Lookup and choice are copies and count as time of the op.</remarks>
public class OpBench
{
    private OpCase _case = OpCases.All[0];
    private PreparedCase? _prepared;
    private CpuBackend? _backend;
    private ILoadedModel? _model;
    private IExecutable? _executable;
    private int[] _tokens = [];
    private SequenceSpan[] _spans = [];

    /// <summary>One thread and one per core.</summary>
    public static IEnumerable<int> ThreadCounts => new[] { 1, Environment.ProcessorCount }.Distinct();

    /// <summary>The cases whose width is that of a model, by name.</summary>
    public static IEnumerable<string> Cases => OpCases.All.Select(c => c.Name).Where(IsLarge);

    /// <summary>Name of the case.</summary>
    [ParamsSource(nameof(Cases))]
    public string Case { get; set; } = "";

    /// <summary>Rows fed: 1 as in decode, 256 as in a chunk of a prompt.</summary>
    [Params(1, 256)]
    public int Rows { get; set; }

    /// <summary>Threads of the backend.</summary>
    [ParamsSource(nameof(ThreadCounts))]
    public int Threads { get; set; }

    /// <summary>Makes weights, states and scratch.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _case = OpCases.ByName(Case);
        _prepared = _case.Prepare();
        _backend = new CpuBackend(new CpuOptions { Threads = Threads });
        _model = _backend.Load(_prepared.Plan, _prepared.Weights, new LoadOptions());
        _model.ClearSlot(1);
        _executable = _model.Compile(new BatchShape(Rows, 1, 1));
        _tokens = [.. Enumerable.Range(0, Rows).Select(i => BatchCut.Token(0, i))];
        _spans = [new SequenceSpan(1, 0, 0, Rows, OutputRows.Last)];
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Free()
    {
        _executable?.Dispose();
        _model?.Dispose();
        _backend?.Dispose();
        _prepared?.Dispose();
    }

    /// <summary>One run over the rows.</summary>
    /// <returns>A logit, so that nothing is left out.</returns>
    [Benchmark]
    public float Run()
    {
        RunTicket run = _executable!.Start(new Batch { Tokens = _tokens, Sequences = _spans });   // Prepare made it
        float first = _executable.Await(run).Logits[0];
        _spans[0] = _spans[0] with { Position = _spans[0].Position + Rows };
        return first;
    }

    private static bool IsLarge(string name)
    {
        if (name.Contains('±') || name.Contains("dt=", StringComparison.Ordinal)) return false;   // the same shapes with odd values
        if (name.StartsWith("linear", StringComparison.Ordinal)) return name.EndsWith("in=1536 out=256", StringComparison.Ordinal) || name.EndsWith("in=1552 out=256", StringComparison.Ordinal);
        return name.Contains("1552", StringComparison.Ordinal) || name is "gated_rms_norm width=1536 groups=1" or "ssd_scan heads=3 dim=64 groups=3 state=128";
    }
}
