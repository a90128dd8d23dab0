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
        using var step = new FailingStep { Name = "test" };
        Assert.Equal("first", Assert.Throws<FormatException>(() => team.Run([step], CancellationToken.None)).Message);
    }

    /// <summary>Throws in every unit, in the order of the units.</summary>
    private sealed class FailingStep : Step, IDisposable
    {
        private readonly ManualResetEventSlim _thrown = new();

        public override int Units => 2;

        public override void Run(int unit, int member)
        {
            if (unit == 0)
            {
                _thrown.Set();
                throw new FormatException("first");
            }
            _thrown.Wait();
            Thread.Sleep(100);   // longer than a throw takes to be caught
            throw new FormatException("second");
        }

        public void Dispose() => _thrown.Dispose();
    }
}
