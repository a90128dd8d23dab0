using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>"The token that the run before picked", on every backend: without the host between, and where it ended a text.</summary>
public sealed class LastPickTests
{
    private const int Steps = 10;

    private static readonly TokenPick[] Settings = [default, new TokenPick(0.9f, 5, 0.9f, 0.02f, 11)];

    public static TheoryData<string, string> Cases => TestBackends.With(["mamba-tied", "mamba2-g3"]);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Start_TwoRunsInFlight_PickWhatTheHostWouldFeed(string backend, string name)
    {
        using var run = new Loaded(backend, name, []);
        int[] told = [3, 5];
        var expected = new List<int[]>();
        for (int i = 0; i < Steps; i++) expected.Add(told = run.Await(run.Start(told, i)));
        byte[][] states = [run.State(1, Steps), run.State(2, Steps)];

        run.Clear();
        RunTicket before = default;
        var got = new List<int[]>();
        for (int i = 0; i < Steps; i++)
        {
            RunTicket next = run.Start(i == 0 ? [3, 5] : [Batch.LastPick, Batch.LastPick], i);
            if (i > 0) got.Add(run.Await(before));
            before = next;
        }
        got.Add(run.Await(before));
        Assert.Equal(expected, got);
        Assert.Equal(states, [run.State(1, Steps), run.State(2, Steps)]);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Start_LastPickHasEndedItsText_LeavesThatSequenceAsItIs(string backend, string name)
    {
        int[] picked;
        using (var probe = new Loaded(backend, name, [])) picked = probe.Await(probe.Start([3, 5], 0));
        Assert.NotEqual(picked[0], picked[1]);
        using var run = new Loaded(backend, name, [picked[0]]);
        RunTicket first = run.Start([3, 5], 0), second = run.Start([Batch.LastPick, Batch.LastPick], 1);
        Assert.Equal(picked, run.Await(first));
        int[] after = run.Await(second);
        Assert.Equal(-1, after[0]);
        Assert.True(after[1] >= 0);
        Assert.Equal(1, run.Model.PositionOf(1));
        Assert.Equal(2, run.Model.PositionOf(2));

        byte[] ended = run.State(1, 1), gone = run.State(2, 2);
        run.Clear();
        Assert.Equal(picked, run.Await(run.Start([3, 5], 0)));
        Assert.Equal(run.State(1, 1), ended);
        Assert.Equal(after[1], run.Await(run.Start(picked, 1))[1]);
        // A backend may have run it alone, and sums of one row in another order than those of two.
        ReadOnlySpan<float> expected = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(run.State(2, 2)), found = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(gone);
        for (int i = 0; i < expected.Length; i++) Assert.InRange(found[i], expected[i] - 1e-5f, expected[i] + 1e-5f);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Start_NoEnds_PicksAnother(string backend, string name)
    {
        int[] picked;
        using (var probe = new Loaded(backend, name, [])) picked = probe.Await(probe.Start([3, 5], 0));
        using var run = new Loaded(backend, name, picked) { NoEnds = true };
        int[] others = run.Await(run.Start([3, 5], 0));
        Assert.DoesNotContain(others[0], picked);
        Assert.DoesNotContain(others[1], picked);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Start_LastPickOfNoRun_IsRefused(string backend, string name)
    {
        using var run = new Loaded(backend, name, []);
        Assert.Contains("last pick", Assert.Throws<ArgumentException>(() => run.Start([Batch.LastPick, 5], 0)).Message);
    }

    /// <summary>A model with two slots, fed a row each at a time.</summary>
    private sealed class Loaded : IDisposable
    {
        private readonly TinyWeights _weights;
        private readonly IBackend _backend;
        private readonly IExecutable _executable;

        public Loaded(string backend, string name, int[] ends)
        {
            _weights = TinyModels.Make(name, QuantTypes.F16);
            _backend = TestBackends.Create(backend);
            Model = _backend.Load(Architecture.Record(_weights.Metadata, _weights.Weights), _weights.Weights, new LoadOptions { Slots = 2, EndTokens = ends });
            _executable = Model.Compile(new BatchShape(2, 2, 2));
        }

        public ILoadedModel Model { get; }

        public bool NoEnds { get; init; }

        public RunTicket Start(int[] tokens, int position) => _executable.Start(new Batch
        {
            Tokens = tokens,
            Sequences = [new SequenceSpan(1, position, 0, 1, OutputRows.Last), new SequenceSpan(2, position, 1, 1, OutputRows.Last)],
            Picks = [Settings[0] with { NoEnds = NoEnds }, Settings[1] with { NoEnds = NoEnds }],
            WantsLogits = false,
        });

        public int[] Await(RunTicket run) => _executable.Await(run).Picked.ToArray();

        public byte[] State(int slot, long position)
        {
            var bytes = new MemoryStream();
            Model.ExportSlot(slot, position, bytes);
            return bytes.ToArray();
        }

        public void Clear()
        {
            Model.ClearSlot(1);
            Model.ClearSlot(2);
        }

        public void Dispose()
        {
            _executable.Dispose();
            Model.Dispose();
            _backend.Dispose();
            _weights.Dispose();
        }
    }
}
