using MambaRT.Formats;
using MambaRT.Serving;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Kept states: histories edited at random give what they give without, and what was fed before is fed again for one interval at most.</summary>
public sealed class CheckpointTests
{
    private const int Every = 32, Chunk = 16;

    private static readonly ModelHostOptions ByHand = new() { Manual = true, MaxSequences = 3 };

    public static TheoryData<string, bool, bool> Ways
    {
        get
        {
            var rows = new TheoryData<string, bool, bool>();
            foreach (bool byTime in new[] { false, true })
            {
                rows.Add(TestBackends.Reference, false, byTime);
                foreach (string backend in TestBackends.Names) rows.Add(backend, true, byTime);   // there to the bit if Deterministic
            }
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Start_RandomEditsOfHistories_GiveTheTokensOfARunWithout(string backend, bool deterministic, bool byTime)
    {
        using IBackend device = TestBackends.Create(backend);
        using var tiny = new TinyModel(chunk: Chunk, on: device, options: Keeping);
        using var host = new ModelHost(tiny.Model, ByHand with { Deterministic = deterministic });
        var random = new Random(11);
        var histories = new List<int[]>();
        int cached = 0;
        for (int request = 0; request < 40; request++)
        {
            int[] prompt = Edited(histories, random);
            GenerationOptions options = new() { MaxTokens = random.Next(4) == 0 ? 0 : random.Next(1, 60) };
            Generation generation = host.Start(prompt, Sampler(request), options);
            if (byTime) while (host.Step(TimeSpan.Zero).HasMore) { }
            else while (host.Step()) { }
            string answer = generation.TryRead() ?? "";
            Assert.Equal(Alone(tiny.Model, prompt, request, options), answer);
            GenerationStats stats = generation.Stats;
            Assert.Equal(prompt.Length, stats.PromptTokens + stats.CachedTokens);
            cached += stats.CachedTokens;
            int known = histories.Count == 0 ? 0 : histories.Max(history => history.AsSpan().CommonPrefixLength(prompt));
            if (!deterministic) Assert.InRange(stats.PromptTokens, 1, Every + prompt.Length - known);
            histories.Add([.. prompt, .. answer.SkipLast(1).Select(c => (int)c)]);
        }
        Assert.True(cached > 500, $"{cached} tokens were not fed again");
    }

    [Fact]
    public void Start_PromptThatWasFed_BeginsAtItsLastKeptState()
    {
        using var tiny = new TinyModel(chunk: Chunk, options: Keeping);
        using var host = new ModelHost(tiny.Model, ByHand);
        int[] prompt = Tokens(100, new Random(1));
        Run(host, prompt);
        Assert.Equal(96, Run(host, prompt).CachedTokens);   // the end of a turn is no use to the same prompt
        Assert.Equal(104, Run(host, [.. prompt, .. Said(tiny.Model, prompt), 65]).CachedTokens);   // where the turn ended
        prompt[70] = 1;
        Assert.Equal(64, Run(host, prompt).CachedTokens);
        prompt[0] = 1;
        Assert.Equal(0, Run(host, prompt).CachedTokens);
    }

    [Fact]
    public void Start_BudgetForFewStates_HoldsItAndKeepsTheMostUseful()
    {
        long slot = SlotBytes();
        using var tiny = new TinyModel(chunk: Chunk, options: Keeping with { StateBudget = 8 * slot });
        using var host = new ModelHost(tiny.Model, ByHand with { MaxSequences = 4 });
        int[] system = Tokens(Every, new Random(1));
        for (int i = 0; i < 30; i++)
        {
            GenerationStats stats = Run(host, [.. system, .. Tokens(70, new Random(i + 2))]);
            Assert.Equal(i == 0 ? 0 : Every, stats.CachedTokens);   // in use all the time, so it stays
            Assert.InRange(tiny.Model.Loaded.Slots, 1, 8);
        }
        Session[] all = [.. Enumerable.Range(0, 8).Select(_ => tiny.Model.StartSession())];   // kept states give way to sessions
        Assert.Equal(0, tiny.Model.Checkpoints!.Count);   // they are kept
        Assert.Throws<StateBudgetException>(tiny.Model.StartSession);
        foreach (Session session in all) session.Dispose();
    }

    /// <summary>A limit that just suffices without kept states suffices with them.</summary>
    [Fact]
    public void Start_MemoryForTheSessionsAlone_IsHeldAndEnough()
    {
        using IBackend device = TestBackends.Create("cpu");
        var measured = new HostMemory();
        Serve(new ModelOptions { Memory = measured, Checkpoints = null });
        foreach (long spare in new[] { 0, 10 * SlotBytes(), 100 * SlotBytes() })
        {
            var limited = new HostMemory(measured.Most + spare);
            bool keeps = Serve(Keeping with { Memory = limited }) > 0;
            Assert.True(keeps || spare == 0);
        }

        int Serve(ModelOptions options)
        {
            using var tiny = new TinyModel(chunk: Chunk, on: device, options: options);
            using var host = new ModelHost(tiny.Model, ByHand with { MaxSequences = 1 });
            for (int i = 0; i < 6; i++) Run(host, Tokens(60 + i, new Random(i % 2)));
            using var many = new ModelHost(tiny.Model, ByHand with { MaxSequences = 9 });   // scratch for larger batches, and more states
            Generation[] all = [.. Enumerable.Range(0, 9).Select(i => many.Start(Tokens(50, new Random(i)), Sampler(i), new GenerationOptions { MaxTokens = 20 }))];
            while (many.Step()) { }
            Assert.All(all, one => Assert.True(one.Completion.IsCompletedSuccessfully));
            return tiny.Model.Checkpoints?.Count ?? 0;
        }
    }

    [Fact]
    public void Start_AllHashesEqual_TokensDecide()
    {
        using var tiny = new TinyModel(chunk: Chunk, options: Keeping);
        tiny.Model.Checkpoints!.HashMask = 0;   // they are kept
        using var host = new ModelHost(tiny.Model, ByHand);
        for (int i = 0; i < 6; i++)
        {
            int[] prompt = Tokens(100, new Random(i % 2));
            Generation generation = host.Start(prompt, Sampler(1), new GenerationOptions { MaxTokens = 8 });
            while (host.Step()) { }
            Assert.Equal(Alone(tiny.Model, prompt, 1, new GenerationOptions { MaxTokens = 8 }), generation.TryRead());
        }
    }

    [Fact]
    public void Start_NoneKept_FeedsAll()
    {
        using var tiny = new TinyModel(chunk: Chunk, options: new ModelOptions { Checkpoints = null });
        using var host = new ModelHost(tiny.Model, ByHand);
        int[] prompt = Tokens(100, new Random(1));
        for (int i = 0; i < 3; i++) Assert.Equal(new GenerationStats { PromptTokens = 100, CachedTokens = 0 }, Counts(Run(host, prompt)));
        Assert.Equal(1, tiny.Model.Loaded.Slots);
    }

    /// <summary>By 64 threads, some of which cancel, leave, or fail in their sampler.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Start_64ConversationsAtOnce_AllAreTheLoneOnesAndNoStateIsLost(bool deterministic)
    {
        const int Conversations = 64, Turns = 4;
        long slot = SlotBytes();
        using var tiny = new TinyModel(chunk: Chunk, options: Keeping with { StateBudget = 96 * slot });
        string[][] alone = [.. Enumerable.Range(0, Conversations).Select(i => AllTurns(i, tiny.Model).ToArray())];
        using (var host = new ModelHost(tiny.Model, new ModelHostOptions { MaxSequences = 64, Deterministic = deterministic }))
        {
            await Task.WhenAll(Enumerable.Range(0, Conversations).Select(i => Task.Run(() => Converse(host, i))));
            Assert.Equal(0, host.Waiting);
            Assert.InRange(tiny.Model.Loaded.Slots, 1, 96);
        }
        Session[] all = [.. Enumerable.Range(0, 96).Select(_ => tiny.Model.StartSession())];
        foreach (Session session in all) session.Dispose();

        async Task Converse(ModelHost host, int i)
        {
            int[] history = Tokens(20 + i, new Random(i % 8));
            for (int turn = 0; turn < Turns; turn++)
            {
                await Disturb(host, history, i + turn);
                Generation generation = host.Start(history, Sampler(i + turn), new GenerationOptions { MaxTokens = 12 });
                string answer = "";
                await foreach (string piece in generation.ReadAsync())
                {
                    answer += piece;
                    if (i % 16 == 0) await Task.Delay(1);   // a slow reader
                }
                Assert.Equal(alone[i][turn], answer);
                history = Next(history, answer, turn);
            }
        }

        static async Task Disturb(ModelHost host, int[] history, int how)
        {
            switch (how % 5)
            {
                case 1:
                    Generation cancelled = host.Start(history, Sampler(how));
                    cancelled.Cancel();
                    await cancelled.Completion.WaitAsync(TimeSpan.FromMinutes(2));
                    break;
                case 2:
                    await foreach (string _ in host.Start(history, Sampler(how), new GenerationOptions { IgnoreEos = true }).ReadAsync()) break;
                    break;
                case 3:
                    var chain = new SamplerChain(1, new FailingSampler());
                    await Assert.ThrowsAsync<InvalidDataException>(() => host.Start(history, chain).Completion.WaitAsync(TimeSpan.FromMinutes(2)));
                    break;
            }
        }

        static IEnumerable<string> AllTurns(int i, Model model)
        {
            int[] history = Tokens(20 + i, new Random(i % 8));
            for (int turn = 0; turn < Turns; turn++)
            {
                string answer = Alone(model, history, i + turn, new GenerationOptions { MaxTokens = 12 });
                yield return answer;
                history = Next(history, answer, turn);
            }
        }

        static int[] Next(int[] history, string answer, int turn) => [.. history, .. answer.Select(c => (int)c), .. Tokens(5, new Random(turn))];
    }

    private static ModelOptions Keeping { get; } = new() { Checkpoints = new CheckpointOptions { Every = Every } };

    private static int[] Tokens(int count, Random random) => [.. Enumerable.Range(0, count).Select(_ => random.Next(32, 127))];

    private static SamplerChain Sampler(int seed) => TinyModel.Printable((uint)seed + 1).Build();

    private static long SlotBytes()
    {
        using var probe = new TinyModel();
        return probe.Model.Loaded.SlotBytes(0);
    }

    /// <summary>A new history, or a known one that is cut, changed somewhere, or goes on.</summary>
    private static int[] Edited(List<int[]> histories, Random random)
    {
        if (histories.Count == 0 || random.Next(6) == 0) return Tokens(random.Next(1, 150), random);
        int[] history = [.. histories[random.Next(histories.Count)]];
        return random.Next(4) switch
        {
            0 => history[..random.Next(1, history.Length + 1)],
            1 => [.. history[..random.Next(history.Length)], .. Tokens(random.Next(1, 40), random)],
            2 => [.. history, .. Tokens(random.Next(1, 40), random)],
            _ => history,
        };
    }

    private static string Alone(Model model, int[] prompt, int seed, GenerationOptions options)
    {
        using Session session = model.StartSession();
        return string.Concat(new TextGenerator(session, Sampler(seed), options).Generate(prompt));
    }

    private static GenerationStats Run(ModelHost host, int[] prompt)
    {
        Generation generation = host.Start(prompt, Sampler(1), new GenerationOptions { MaxTokens = 5 });
        while (host.Step()) { }
        return generation.Stats;
    }

    /// <summary>What <see cref="Run"/> says of it.</summary>
    private static int[] Said(Model model, int[] prompt) => [.. Alone(model, prompt, 1, new GenerationOptions { MaxTokens = 5 }).Select(c => (int)c)];

    private static GenerationStats Counts(GenerationStats stats) => new() { PromptTokens = stats.PromptTokens, CachedTokens = stats.CachedTokens };

    private sealed class FailingSampler : ISampler
    {
        public void Apply(ref Candidates candidates) => throw new InvalidDataException("This sampler never works.");
    }
}
