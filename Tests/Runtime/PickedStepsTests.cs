using Xunit;

namespace MambaRT.Tests;

/// <summary>A generator that is a step ahead on a device that works by itself gives what one gives that waits for each token, and leaves the same state.</summary>
public sealed class PickedStepsTests : IDisposable
{
    private static readonly int[] Prompt = [.. "Tell"u8.ToArray().Select(b => (int)b)];

    private readonly LateBackend _device = new();
    private readonly TinyModel _late, _plain = new();

    public PickedStepsTests() => _late = new TinyModel(on: _device);

    public static TheoryData<float, int, string> Ways
    {
        get
        {
            var rows = new TheoryData<float, int, string>();
            foreach (float temperature in new[] { 0f, 1.5f, 4f })
                foreach (int most in new[] { -1, 1, 2, 25 })
                    foreach (string stop in new[] { "", "e" })
                        if (most > 0 || temperature > 1.5f) rows.Add(temperature, most, stop);
            return rows;
        }
    }

    public void Dispose()
    {
        _late.Dispose();
        _plain.Dispose();
        _device.Dispose();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Generate_StepAhead_EndsWhereOneWithoutEnds(float temperature, int most, string stop)
    {
        var ends = new HashSet<StopReason>();
        for (uint seed = 0; seed < (most < 0 ? 4 : 2); seed++)
        {
            SamplingOptions sampling = new() { Seed = seed, Temperature = temperature, TopK = temperature > 3 ? 0 : 40, TopP = 1, MinP = 0 };
            var options = new GenerationOptions { MaxTokens = most, Stop = stop == "" ? [] : [stop] };
            using Session late = _late.Model.StartSession(), plain = _plain.Model.StartSession();
            var ahead = new TextGenerator(late, sampling.Build(), options);
            var waiting = new TextGenerator(plain, sampling.Build(), options);
            for (int turn = 0; turn < 3; turn++)
            {
                Assert.Equal(waiting.Generate(Prompt), ahead.Generate(Prompt));
                Assert.Equal(waiting.Stats.Reason, ahead.Stats.Reason);
                Assert.Equal(waiting.Stats.GeneratedTokens, ahead.Stats.GeneratedTokens);
                ends.Add(ahead.Stats.Reason);
            }
            AssertSame(waiting, plain, ahead, late);
        }
        Assert.Contains(most < 0 && stop == "" ? StopReason.EndOfGeneration : stop == "" ? StopReason.MaxTokens : ends.First(), ends);
        if (most > 2) Assert.Equal(2, _device.MostInFlight);
    }

    [Fact]
    public void Generate_ReaderLeavesOrCancels_GoesOnAsTheOtherDoes()
    {
        for (int pieces = 1; pieces < 6; pieces++)
        {
            SamplingOptions sampling = new() { Seed = 3, Temperature = 1.5f };
            using Session late = _late.Model.StartSession(), plain = _plain.Model.StartSession();
            var ahead = new TextGenerator(late, sampling.Build());
            var waiting = new TextGenerator(plain, sampling.Build());
            Assert.Equal(waiting.Generate(Prompt).Take(pieces), ahead.Generate(Prompt).Take(pieces));
            using CancellationTokenSource one = new(), other = new();
            Assert.Equal(Until(waiting, one), Until(ahead, other));
            AssertSame(waiting, plain, ahead, late);
        }

        static List<string> Until(TextGenerator generator, CancellationTokenSource cancel)
        {
            var read = new List<string>();
            foreach (string piece in generator.Generate(Prompt, cancel.Token))
            {
                read.Add(piece);
                if (read.Count == 3) cancel.Cancel();
            }
            return read;
        }
    }

    [Fact]
    public void Generate_ModelUsedBetweenPieces_GivesTheSame()
    {
        SamplingOptions sampling = new() { Seed = 8, Temperature = 1.5f, TopK = 0, TopP = 1, MinP = 0 };
        var options = new GenerationOptions { MaxTokens = 20 };
        string[] Alone(uint seed)
        {
            using Session session = _plain.Model.StartSession();
            return [.. new TextGenerator(session, (sampling with { Seed = seed }).Build(), options).Generate(Prompt)];
        }

        using Session first = _late.Model.StartSession(), second = _late.Model.StartSession(), third = _late.Model.StartSession();
        using IEnumerator<string> a = new TextGenerator(first, (sampling with { Seed = 8 }).Build(), options).Generate(Prompt).GetEnumerator();
        using IEnumerator<string> b = new TextGenerator(second, (sampling with { Seed = 9 }).Build(), options).Generate(Prompt).GetEnumerator();
        List<string> fromA = [], fromB = [];
        for (bool more = true; more;)
        {
            more = Step(a, fromA) | Step(b, fromB);
            third.Feed([1, 2]);
            using Session fork = first.Fork();
            Assert.Equal(first.Position, fork.Position);
        }
        Assert.Equal(Alone(8), fromA);
        Assert.Equal(Alone(9), fromB);

        static bool Step(IEnumerator<string> pieces, List<string> to)
        {
            if (!pieces.MoveNext()) return false;
            to.Add(pieces.Current);
            return true;
        }
    }

    [Fact]
    public void Generate_LogProbsAreWanted_PicksTheSameTokens()
    {
        foreach (bool ignoresEnds in new[] { false, true })
        {
            SamplingOptions sampling = new() { Seed = 5, Temperature = 2, TopK = 100, TopP = 0.98f, MinP = 0.001f };
            var options = new GenerationOptions { MaxTokens = 30, IgnoreEos = ignoresEnds };
            using Session late = _late.Model.StartSession(), plain = _plain.Model.StartSession();
            int told = 0;
            Assert.Equal(
                string.Concat(new TextGenerator(plain, sampling.Build(), options with { OnLogProbs = _ => told++ }).Generate(Prompt)),
                string.Concat(new TextGenerator(late, sampling.Build(), options).Generate(Prompt)));
            Assert.True(told > 0);
        }
    }

    [Fact]
    public void Generate_DeviceFailsAStepAhead_SaysSoAndLosesThatStateOnly()
    {
        using Session session = _late.Model.StartSession(), other = _late.Model.StartSession();
        other.Feed([1]);
        _device.FailingRun = 5;
        var generator = new TextGenerator(session, new SamplerChain(1, new Greedy()), new GenerationOptions { MaxTokens = 40 });
        Assert.Contains("planned", Assert.Throws<InvalidOperationException>(() => string.Concat(generator.Generate(Prompt))).Message);
        Assert.Contains("lost", Assert.Throws<InvalidOperationException>(() => session.Feed([1])).Message);
        other.Feed([2]);
        session.Reset();
        Assert.NotEmpty(string.Concat(new TextGenerator(session, new SamplerChain(1, new Greedy()), new GenerationOptions { MaxTokens = 9 }).Generate(Prompt)));
    }

    [Fact]
    public void Generate_SessionIsDisposedBetweenPieces_LeavesTheModelInOrder()
    {
        Session session = _late.Model.StartSession();
        using IEnumerator<string> pieces = new TextGenerator(session, new SamplerChain(1, new Greedy())).Generate(Prompt).GetEnumerator();
        Assert.True(pieces.MoveNext());
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pieces.MoveNext());
        using Session next = _late.Model.StartSession(), plain = _plain.Model.StartSession();
        Assert.Equal(plain.Feed(Prompt).ToArray(), next.Feed(Prompt).ToArray());
    }

    /// <summary>The same state and past, once what was shown last is fed.</summary>
    private static void AssertSame(TextGenerator waiting, Session plain, TextGenerator ahead, Session late)
    {
        waiting.Settle();
        ahead.Settle();
        Assert.Equal(plain.Position, late.Position);
        Assert.Equal(plain.Save().State.ToArray(), late.Save().State.ToArray());
        Assert.Equal(waiting.History.Tokens.ToArray(), ahead.History.Tokens.ToArray());
    }
}
