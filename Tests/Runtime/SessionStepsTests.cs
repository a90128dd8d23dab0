using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

/// <summary>A session driven by times: what it generates is what it generates at once, whatever the times, and giving up goes back.</summary>
public sealed class SessionStepsTests
{
    private const int Most = 20;

    private static int[] Prompt(int i) => [.. Enumerable.Range(0, 10 + 9 * i).Select(at => 32 + (at + i) * 7 % 90)];

    public static TheoryData<string> Backends => TestBackends.All;

    [Theory]
    [MemberData(nameof(Backends))]
    public void StepFor_AnyTimes_GeneratesWhatOneCallDoes(string backend)
    {
        using IBackend device = TestBackends.Create(backend);
        using var tiny = new TinyModel(on: device);
        foreach (TimeSpan time in (TimeSpan[])[TimeSpan.Zero, TimeSpan.FromMicroseconds(60), TimeSpan.MaxValue])
        {
            using Session session = tiny.Model.StartSession(), replay = tiny.Model.StartSession();
            for (int turn = 0; turn < 2; turn++)
            {
                long before = session.Position;
                session.BeginSteps(Prompt(turn), TinyModel.Printable(7).Build(), Most);
                StepProgress all = default;
                for (StepProgress step = default; all.Finished == 0; all = new StepProgress(all.PromptTokens + step.PromptTokens, all.GeneratedTokens + step.GeneratedTokens, step.Finished, step.HasMore))
                    step = session.StepFor(time);
                Assert.Equal(new StepProgress(Prompt(turn).Length, Most, 1, HasMore: false), all);
                Assert.Equal(before + Prompt(turn).Length + Most - 1, session.Position);
                Assert.Equal(Generate(replay, Prompt(turn)), session.Generated);
            }
            Assert.Equal(default, session.StepFor(time));
        }
    }

    [Fact]
    public void StepFor_FortySessionsInTurn_EachGeneratesAsAlone()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        using var tiny = new TinyModel(on: backend);
        IReadOnlyList<int>[] expected = [.. Enumerable.Range(0, 40).Select(i => Alone(tiny.Model, i))];
        Session[] sessions = [.. Enumerable.Range(0, 40).Select(_ => tiny.Model.StartSession())];
        for (int i = 0; i < 40; i++) sessions[i].BeginSteps(Prompt(i % 5), TinyModel.Printable((uint)i + 1).Build(), Most);
        for (bool more = true; more;)
        {
            more = false;
            foreach (Session session in sessions) more |= session.StepFor(TimeSpan.Zero).HasMore;
        }
        Assert.Equal(expected, sessions.Select(session => session.Generated));
        foreach (Session session in sessions) session.Dispose();
        Assert.True(tiny.Model.Loaded.Slots <= 81);
    }

    [Fact]
    public void CancelSteps_InThePromptOrInAToken_GoesBackThere()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using var tiny = new TinyModel(on: backend);
        using Session session = tiny.Model.StartSession(), replay = tiny.Model.StartSession();
        session.Feed(Prompt(3));
        replay.Feed(Prompt(3));
        session.BeginSteps(Prompt(4), TinyModel.Printable(7).Build(), Most);
        for (int i = 0; i < 12; i++) Assert.True(session.StepFor(TimeSpan.Zero).HasMore);
        session.CancelSteps();
        Assert.Equal(replay.Position, session.Position);
        Assert.Equal(replay.Feed([9]).ToArray(), session.Feed([9]).ToArray());

        session.BeginSteps(Prompt(1), TinyModel.Printable(7).Build(), Most);
        replay.Feed(Prompt(1));
        while (session.Generated.Count < 5) session.StepFor(TimeSpan.Zero);
        for (int i = 0; i < 3; i++) session.StepFor(TimeSpan.Zero);   // within the token after the fifth
        Assert.Equal(5, session.Generated.Count);
        session.CancelSteps();
        for (int i = 0; i < 4; i++) replay.Feed([session.Generated[i]]);
        Assert.Equal(replay.Position, session.Position);
        Assert.Equal(replay.Feed([session.Generated[4]]).ToArray(), session.Feed([session.Generated[4]]).ToArray());
    }

    [Fact]
    public void BeginSteps_NoRoomToGoBack_IsRefused()
    {
        using var probe = new TinyModel();
        using var tiny = new TinyModel(options: new ModelOptions { StateBudget = probe.Model.Loaded.SlotBytes(0) });
        using Session session = tiny.Model.StartSession();
        Assert.Throws<StateBudgetException>(() => session.BeginSteps([1], TinyModel.Printable(1).Build(), 1));
        session.Feed([1]);
    }

    private static IReadOnlyList<int> Alone(Model model, int i)
    {
        using Session session = model.StartSession();
        return Generate(session, Prompt(i % 5), (uint)i + 1);
    }

    private static List<int> Generate(Session session, int[] prompt, uint seed = 7)
    {
        SamplerChain sampler = TinyModel.Printable(seed).Build();
        var picker = new TextPicker(session.Model.Tokenizer, sampler, ignoreEnds: false);
        picker.BeginText();
        var history = new List<int>(prompt);
        ReadOnlySpan<float> logits = session.Feed(prompt);
        for (int i = 0; i < Most; i++)
        {
            history.Add(picker.Next(logits, history.ToArray(), session.Position));
            if (i < Most - 1) logits = session.Feed([history[^1]]);
        }
        return history[prompt.Length..];
    }
}
