using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Work on threads of the program's: whatever a job system does with its calls, each unit is done once.</summary>
public sealed class BorrowedTeamTests
{
    private const int Members = 4;

    public static TheoryData<string> JobSystems => ["in order", "backwards", "threads", "returns early", "runs none", "runs half", "calls twice", "numbers of nobody"];

    [Theory]
    [MemberData(nameof(JobSystems))]
    public async Task Run_AnyJobSystem_DoesEachUnitOnceAndInStepOrder(string system)
    {
        var late = new List<Task>();
        using var team = new BorrowedTeam(Members, (count, body) => Call(system, count, body, late));
        var random = new Random(11);
        CountingStep[] steps = [.. Enumerable.Range(0, 8).Select(_ => new CountingStep { Name = "count" })];
        for (int i = 1; i < steps.Length; i++) steps[i].Before = steps[i - 1];
        for (int run = 0; run < 2_000; run++)
        {
            foreach (CountingStep step in steps) step.Prepare(random.Next(0, 9));
            team.Run(steps, CancellationToken.None);
            foreach (CountingStep step in steps) step.Check(run);
        }
        await Task.WhenAll(late);
    }

    [Fact]
    public void Run_StepThrows_TellsTheCallerAndGoesOn()
    {
        using var team = new BorrowedTeam(Members, (count, body) => Parallel.For(0, count, body));
        var step = new CountingStep { Name = "bad", Body = () => throw new FormatException("damaged") };
        step.Prepare(6);
        Assert.Equal("damaged", Assert.Throws<FormatException>(() => team.Run([step], CancellationToken.None)).Message);
        step.Body = null;
        step.Prepare(6);
        team.Run([step], CancellationToken.None);
        step.Check(0);
    }

    [Theory]
    [InlineData("mamba-tied")]
    [InlineData("mamba2-g3")]
    public void Feed_OnThreadsOfTheProgram_GivesTheBitsOfTheBackendsOwn(string name)
    {
        int calls = 0;
        void Count(int count, Action<int> body)
        {
            Interlocked.Increment(ref calls);
            Parallel.For(0, count, body);
        }
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.Q8_0);
        using var own = new CpuBackend(new CpuOptions { Threads = 2 });
        using var lent = new CpuBackend(new CpuOptions { Threads = 3, ParallelFor = Count });
        int[] tokens = [.. Enumerable.Range(0, 40).Select(i => TinyModels.Token(i))];
        float[] expected = Logits(own, slices: false), whole = Logits(lent, slices: false);
        Assert.True(calls > 0);
        Assert.Equal(expected, whole);
        Assert.Equal(expected, Logits(lent, slices: true));

        float[] Logits(CpuBackend backend, bool slices)
        {
            using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { ChunkTokens = 16 });
            using Session session = model.StartSession();
            if (!slices) return session.Feed(tokens).ToArray();
            using SlicedFeed feed = session.FeedInSlices(tokens);
            ReadOnlySpan<float> logits;
            while (!feed.Advance(TimeSpan.Zero, out logits)) { }
            return logits.ToArray();
        }
    }

    [Fact]
    public void CpuBackend_ProgramsThreadsPinned_IsRefused()
    {
        ParallelFor run = (count, body) => Parallel.For(0, count, body);
        Assert.Contains("ParallelFor", Assert.Throws<ArgumentException>(() => new CpuBackend(new CpuOptions { Cores = [0], ParallelFor = run })).Message);
        Assert.Contains("ParallelFor", Assert.Throws<ArgumentException>(() => new CpuBackend(new CpuOptions { MovesThreads = true, ParallelFor = run })).Message);
    }

    private static void Call(string system, int count, Action<int> body, List<Task> late)
    {
        switch (system)
        {
            case "in order": for (int i = 0; i < count; i++) body(i); break;
            case "backwards": for (int i = count - 1; i >= 0; i--) body(i); break;
            case "threads": Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = count }, body); break;
            case "returns early": for (int i = 0; i < count; i++) { int member = i; late.Add(Task.Run(() => body(member))); } break;
            case "runs none": break;
            case "runs half": for (int i = 0; i < count / 2; i++) body(i); break;
            case "calls twice": Parallel.For(0, 2 * count, i => body(i / 2)); break;
            default: foreach (int member in (int[])[-1, int.MaxValue, count, Members, int.MinValue]) body(member); break;
        }
    }
}
