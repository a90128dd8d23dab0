using MambaRT.Backends.Cpu;
using MambaRT.Serving;
using Xunit;

namespace MambaRT.Tests;

/// <summary>A host that is given times: every answer is the lone one, whatever the times, a call ends after one unit where it has no time, and nothing else happens between calls.</summary>
public sealed class TimedHostTests : IDisposable
{
    private const int Chunk = 16;

    private static readonly ModelHostOptions ByHand = new() { Manual = true };

    private readonly CpuBackend _backend = new(new CpuOptions { Threads = 2 });
    private readonly TinyModel _tiny;

    public TimedHostTests() => _tiny = new TinyModel(chunk: Chunk, on: _backend);

    public static TheoryData<string, bool, double> Ways
    {
        get
        {
            var rows = new TheoryData<string, bool, double>();
            foreach (string backend in TestBackends.Names)
                foreach (double microseconds in new[] { 0.0, 50, 1e9 })
                    foreach (bool deterministic in new[] { false, true })
                        if (deterministic || backend == TestBackends.Reference) rows.Add(backend, deterministic, microseconds);   // where the answers are the lone ones to the bit
            return rows;
        }
    }

    public void Dispose()
    {
        _tiny.Dispose();
        _backend.Dispose();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Step_ForAnyTime_EveryAnswerIsTheLoneOne(string backend, bool deterministic, double microseconds)
    {
        using IBackend device = TestBackends.Create(backend);
        using var tiny = new TinyModel(chunk: Chunk, on: device);
        using var host = new ModelHost(tiny.Model, ByHand with { MaxSequences = 5, Deterministic = deterministic });
        Generation[] answers = [.. Enumerable.Range(0, 12).Select(i => host.Start(Prompt(i), Sampler(i), Length(i)))];
        StepProgress all = default;
        for (StepProgress step = new(0, 0, 0, true); step.HasMore; all = new StepProgress(all.PromptTokens + step.PromptTokens, all.GeneratedTokens + step.GeneratedTokens, all.Finished + step.Finished, false))
            step = host.Step(TimeSpan.FromMicroseconds(microseconds));
        Assert.Equal([.. Enumerable.Range(0, 12).Select(i => Alone(tiny.Model, i))], answers.Select(answer => answer.TryRead()!));
        Assert.Equal(new StepProgress(answers.Sum(a => a.Stats.PromptTokens), answers.Sum(a => a.Stats.GeneratedTokens), 12, false), all);
        Assert.Equal(default, host.Step(TimeSpan.FromMicroseconds(microseconds)));
    }

    /// <summary>A pick from a large vocabulary takes as long as a unit, and many answers have one each.</summary>
    [Fact]
    public void Advance_ForNoTime_PicksForOneSequenceACall()
    {
        const int Count = 5;
        Session[] sessions = [.. Enumerable.Range(0, Count).Select(_ => _tiny.Model.StartSession())];
        var executable = (CpuExecutable)_tiny.Model.Executable(new BatchShape(Count, Count, Count));
        int[][] picked = [.. new[] { true, false }.Select(Picked)];
        Assert.Equal(picked[0], picked[1]);
        foreach (Session session in sessions) session.Dispose();

        int[] Picked(bool sliced)
        {
            foreach (Session session in sessions) _tiny.Model.Loaded.ClearSlot(session.Slot);
            var batch = new Batch
            {
                Tokens = new int[] { 40, 50, 60, 70, 80 },
                Sequences = sessions.Select((session, i) => new SequenceSpan(session.Slot, 0, i, 1, OutputRows.Last)).ToArray(),
                Picks = Enumerable.Range(0, Count).Select(i => new TokenPick { Temperature = 1.5f, Seed = (uint)i }).ToArray(), WantsLogits = false,
            };
            if (!sliced) return executable.Await(executable.Start(batch)).Picked.ToArray();
            RunTicket run = executable.Begin(batch);
            while (!executable.IsPicking) Assert.False(executable.Advance(TimeSpan.Zero));
            for (int i = 0; i < Count; i++) Assert.Equal(i == Count - 1, executable.Advance(TimeSpan.Zero));
            return executable.Await(run).Picked.ToArray();
        }
    }

    /// <summary>What runs batches of each size is made with the host: at its first use it would be a step that takes too long.</summary>
    [Fact]
    public void Host_DrivenByTimes_MakesNothingWithinThem()
    {
        using var host = new ModelHost(_tiny.Model, ByHand with { MaxSequences = 8 });
        long before = _tiny.Model.Memory.Scratch;
        for (int i = 0; i < 8; i++) host.Start(Prompt(i), Sampler(i), Endless);
        for (int i = 0; i < 1000; i++) host.Step(TimeSpan.FromMicroseconds(100));
        Assert.Equal(8, host.Active);
        Assert.Equal(before, _tiny.Model.Memory.Scratch);
        using var tiny = new TinyModel(chunk: Chunk, on: _backend);
        using var large = new ModelHost(tiny.Model, ByHand with { MaxSequences = 65_536 });   // of which few may ever be there
        Assert.InRange(tiny.Model.Memory.Scratch, 0, 4 * before);
    }

    /// <summary>A token of this model is many units: with no time, each call does one.</summary>
    [Fact]
    public void Step_ForNoTime_LeavesATokenInItsMidst()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        Generation answer = host.Start(Prompt(1), Sampler(1), Endless);
        while (answer.Stats.GeneratedTokens < 3) host.Step(TimeSpan.Zero);
        int calls = 0;
        while (answer.Stats.GeneratedTokens < 4)
        {
            Assert.True(host.Step(TimeSpan.Zero).HasMore);
            calls++;
        }
        Assert.InRange(calls, 5, 100);
    }

    [Fact]
    public void Step_ForNoTime_RunsOthersBesideALongPrompt()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        Generation running = host.Start(Prompt(1), Sampler(1), Endless);
        while (running.Stats.GeneratedTokens < 3) host.Step(TimeSpan.Zero);
        Generation reading = host.Start(TinyTokens(10 * Chunk), Sampler(2), Endless);
        while (reading.Stats.GeneratedTokens == 0)
        {
            host.Step(TimeSpan.Zero);
            Assert.InRange(running.Stats.GeneratedTokens - 3 - reading.Stats.PromptTokens / Chunk, 0, 2);
        }
    }

    [Fact]
    public void Cancel_InTheMidstOfARun_EndsThatOneAlone()
    {
        using var host = new ModelHost(_tiny.Model, ByHand with { Deterministic = true });
        Generation[] answers = [.. Enumerable.Range(0, 6).Select(i => host.Start(Prompt(i), Sampler(i), Length(i)))];
        var random = new Random(3);
        for (int round = 0; round < 4; round++)
        {
            for (int i = random.Next(40); i > 0; i--) host.Step(TimeSpan.Zero);
            answers[round].Cancel();
            if (round == 2) host.Use(model => model.StartSession()).Dispose();   // ends the run that is in the midst
        }
        while (host.Step(TimeSpan.Zero).HasMore) { }
        Assert.All(answers[..4], answer => Assert.True(answer.Completion.IsCompleted));
        Assert.Equal([Alone(_tiny.Model, 4), Alone(_tiny.Model, 5)], answers[4..].Select(answer => answer.TryRead()!));
    }

    [Fact]
    public void Step_WholeAfterATime_GoesOnWhereThatStopped()
    {
        using var host = new ModelHost(_tiny.Model, ByHand with { Deterministic = true });
        Generation[] answers = [.. Enumerable.Range(0, 4).Select(i => host.Start(Prompt(i), Sampler(i), Length(i)))];
        for (bool more = true; more; more = host.Step() || host.Waiting > 0)
            for (int i = 0; i < 3; i++) host.Step(TimeSpan.Zero);
        while (host.Step(TimeSpan.Zero).HasMore) { }
        Assert.Equal([.. Enumerable.Range(0, 4).Select(i => Alone(_tiny.Model, i))], answers.Select(answer => answer.TryRead()!));
    }

    [Fact]
    public void Step_ForATime_AllocatesNothing()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        for (int i = 0; i < 4; i++) host.Start(Prompt(i), Sampler(i), Endless);
        for (int i = 0; i < 4000; i++) host.Step(TimeSpan.Zero);
        Assert.Equal(0, Allocation.OnThread(() => { for (int i = 0; i < 50; i++) host.Step(TimeSpan.Zero); }));
    }

    [Fact]
    public void Dispose_InTheMidstOfARun_GivesTheModelBack()
    {
        var host = new ModelHost(_tiny.Model, ByHand);
        Generation answer = host.Start(Prompt(1), Sampler(1), Endless);
        for (int i = 0; i < 30; i++) host.Step(TimeSpan.Zero);
        host.Dispose();
        Assert.Equal(StopReason.Cancelled, answer.Stats.Reason);
        Assert.Throws<ObjectDisposedException>(() => host.Step(TimeSpan.Zero));
        using Session session = _tiny.Model.StartSession();
        session.Feed([1]);
    }

    private static GenerationOptions Endless { get; } = new() { IgnoreEos = true };

    private static int[] TinyTokens(int count) => [.. Enumerable.Range(0, count).Select(i => 32 + i * 7 % 90)];

    private static int[] Prompt(int i) => TinyTokens(5 + 7 * (i % 6));

    private static SamplerChain Sampler(int i) => (i % 2 == 1 ? TinyModel.Printable((uint)i + 1) : new SamplingOptions { Seed = (uint)i + 1, Temperature = 1.5f }).Build();

    private static GenerationOptions Length(int i) => new() { MaxTokens = 10 + i % 20 };

    private static string Alone(Model model, int i)
    {
        using Session session = model.StartSession();
        return string.Concat(new TextGenerator(session, Sampler(i), Length(i)).Generate(Prompt(i)));
    }
}
