using System.Diagnostics;
using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The team under more members than cores, so that some always come late.</summary>
public sealed class ThreadTeamTests
{
    [Fact]
    public void Run_UnitsChangeFromRunToRun_EachIsDoneOnceAndInStepOrder()
    {
        using var team = new ThreadTeam(5);
        var random = new Random(7);
        CountingStep[] steps = [.. Enumerable.Range(0, 12).Select(_ => new CountingStep { Name = "count" })];
        for (int i = 1; i < steps.Length; i++) steps[i].Before = steps[i - 1];
        for (int run = 0; run < 150_000; run++)
        {
            foreach (CountingStep step in steps) step.Prepare(random.Next(0, 9));
            team.Run(steps, CancellationToken.None);
            foreach (CountingStep step in steps) step.Check(run);
        }
    }

    /// <summary>Another device has its part of each token in the meantime: members that sleep take longer to wake than their part does.</summary>
    [Fact]
    public void Run_ShortlyAfterTheLast_KeepsMembersAwakeForTwiceThePause()
    {
        var time = new StillTime();
        using var team = new ThreadTeam(2, time: time);
        var step = new CountingStep { Name = "part" };
        step.Prepare(2);
        team.Run([step], CancellationToken.None);
        time.Pass(0.4);
        step.Prepare(2);
        team.Run([step], CancellationToken.None);

        int sleeps = team.Sleeps;
        Thread.Sleep(200);   // in which no time passes for the team
        Assert.Equal(sleeps, team.Sleeps);
        Assert.True(SpinWait.SpinUntil(() => time.Pass(0.8) && team.Sleeps > sleeps, TimeSpan.FromSeconds(60)), "A member stays awake for good.");
    }

    [Fact]
    public void Run_LongAfterTheLast_FindsMembersAsleep()
    {
        using var team = new ThreadTeam(2);
        var step = new CountingStep { Name = "part" };
        for (int run = 0, sleeps = 0; run < 10; run++)
        {
            for (var clock = Stopwatch.StartNew(); team.Sleeps == sleeps && clock.Elapsed.TotalSeconds < 20;) Thread.Sleep(1);
            Assert.NotEqual(sleeps, team.Sleeps);
            sleeps = team.Sleeps;
            step.Prepare(2);
            team.Run([step], CancellationToken.None);
        }
    }

    [Fact]
    public void Run_Cancelled_StopsBetweenStepsAndCanRunAgain()
    {
        using var team = new ThreadTeam(3);
        CountingStep first = new() { Name = "first" }, second = new() { Name = "second", Before = first };
        for (int run = 0; run < 2_000; run++)
        {
            using var source = new CancellationTokenSource();
            first.Prepare(4);
            second.Prepare(4);
            first.Body = source.Cancel;
            Assert.Throws<OperationCanceledException>(() => team.Run([first, second], source.Token));
            first.Body = null;
            first.Prepare(3);
            second.Prepare(5);
            team.Run([first, second], CancellationToken.None);
            first.Check(run);
            second.Check(run);
        }
    }

    [Fact]
    public void Run_StepThrows_TellsTheCallerAndGoesOn()
    {
        using var team = new ThreadTeam(3);
        var step = new CountingStep { Name = "bad", Body = () => throw new ArithmeticException("no such row") };
        step.Prepare(6);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => team.Run([step], CancellationToken.None));
        Assert.Contains("no such row", error.Message);
        step.Body = () => throw new FormatException("damaged");   // what weights are refused with comes as it is
        step.Prepare(6);
        Assert.Equal("damaged", Assert.Throws<FormatException>(() => team.Run([step], CancellationToken.None)).Message);
        step.Body = null;
        step.Prepare(6);
        team.Run([step], CancellationToken.None);
        step.Check(0);
    }

    [Fact]
    public void Run_SeveralUnitsThrow_TellsTheFirst()
    {
        using var team = new ThreadTeam(2);
        var step = new FailingStep { Name = "test", Team = team };
        Assert.Equal("first", Assert.Throws<FormatException>(() => team.Run([step], CancellationToken.None)).Message);
    }

    /// <summary>Throws in every unit, in the order of the units.</summary>
    private sealed class FailingStep : Step
    {
        public required ThreadTeam Team { get; init; }

        public override int Units => 2;

        public override void Run(int unit, int member)
        {
            if (unit == 0) throw new FormatException("first");
            SpinWait.SpinUntil(() => Team.HasFailed);
            throw new FormatException("second");
        }
    }

    /// <summary>Passes when a test says so.</summary>
    private sealed class StillTime : TimeProvider
    {
        private long _now = 1_000_000_000;

        public override long TimestampFrequency => 1_000_000_000;

        public override long GetTimestamp() => Volatile.Read(ref _now);

        public bool Pass(double milliseconds)
        {
            Interlocked.Add(ref _now, (long)(milliseconds * 1e6));
            return true;
        }
    }
}
