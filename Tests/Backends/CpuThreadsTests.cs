using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Where the backend's threads run, and that they do not run when there is nothing to do. Alone, as times of the whole process are read.</summary>
[CollectionDefinition(nameof(CpuThreadsTests), DisableParallelization = true)]
[Collection(nameof(CpuThreadsTests))]
public sealed class CpuThreadsTests
{
    [Fact]
    public void Idle_LoadedModelAndNoRun_TakesNoProcessorTime()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 4 });
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.Q8_0);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend);
        using Session session = model.StartSession();
        for (int i = 0; i < 50; i++) session.Feed([1]);

        // A thread that spins takes all of any stretch of time; the least of several leaves out what the runtime does in the background.
        TimeSpan least = TimeSpan.MaxValue;
        for (int i = 0; i < 5 && least > TimeSpan.FromMilliseconds(2); i++)
        {
            TimeSpan before = Environment.CpuUsage.TotalTime;
            Thread.Sleep(1000);
            TimeSpan taken = Environment.CpuUsage.TotalTime - before;
            if (taken < least) least = taken;
        }
        Assert.InRange(least.TotalMilliseconds, 0, 20);
    }

    [MachineFact(Needs.Linux)]
    public void Cores_Given_HoldTheThreadsWhileTheyRunAndGiveTheCallersBack()
    {
        CoreAffinity.CoreSet all = CoreAffinity.Current;
        int[] cores = [.. Enumerable.Range(0, CoreAffinity.MaxCores).Where(c => all.Contains(c)).Take(2)];
        using var team = new ThreadTeam(cores.Length, cores);
        var step = new WhereStep { Name = "where", Members = new string?[cores.Length] };
        for (int run = 0; run < 10_000 && step.Members.Contains(null); run++) team.Run([step], CancellationToken.None);

        // A member that never got a unit says nothing.
        Assert.All(step.Members.Zip(cores), pair => Assert.Equal(pair.Second.ToString(), pair.First ?? pair.Second.ToString()));
        Assert.NotNull(step.Members[0]);
        Assert.Equal(all.ToString(), CoreAffinity.Current.ToString());
    }

    [MachineFact(Needs.OtherThanLinux)]
    public void Cores_WhereNoneCanBeGiven_AreRefused() => Assert.Throws<PlatformNotSupportedException>(() => new CpuBackend(new CpuOptions { Cores = [0] }));

    [MachineFact(Needs.Linux)]
    public void Cores_ThatCannotBe_AreRefusedInWords()
    {
        int core = Enumerable.Range(0, CoreAffinity.MaxCores).First(CoreAffinity.Current.Contains);
        Assert.Contains("choose from", Assert.Throws<ArgumentException>(() => new CpuBackend(new CpuOptions { Cores = [CoreAffinity.MaxCores] })).Message);
        Assert.Contains("choose from", Assert.Throws<ArgumentException>(() => new CpuBackend(new CpuOptions { Cores = [-1] })).Message);
        Assert.Contains("twice", Assert.Throws<ArgumentException>(() => new CpuBackend(new CpuOptions { Cores = [core, core] })).Message);
        Assert.Contains("for 2 threads", Assert.Throws<ArgumentException>(() => new CpuBackend(new CpuOptions { Threads = 2, Cores = [core] })).Message);
        Assert.Contains("0 cores", Assert.Throws<ArgumentException>(() => new CpuBackend(new CpuOptions { Cores = [] })).Message);
        using var backend = new CpuBackend(new CpuOptions { Cores = [core] });
        Assert.EndsWith($"1 thread on core {core}", backend.Description);
    }

    /// <summary>Notes where each member may run, and waits a little so that every member comes to take a unit.</summary>
    private sealed class WhereStep : Step
    {
        public required string?[] Members { get; init; }

        public override int Units => 2 * Members.Length;

        public override void Run(int unit, int member)
        {
            Members[member] = CoreAffinity.Current.ToString();
            Thread.Sleep(0);
        }
    }
}
