using System.Diagnostics;
using System.Text;
using MambaRT.Backends.Cpu;
using MambaRT.Serving;
using Xunit;
using Xunit.Abstractions;

namespace MambaRT.Tests;

/// <summary>
/// Sixty-four conversations at once for as long as MAMBART_LOAD says, on the bundled model: every answer is the lone one, with readers that are slow, leave, cancel or
/// bring a sampler that throws among them; memory stays as it is and no state is lost.
/// </summary>
public sealed class HostLoadTests(ITestOutputHelper output)
{
    private const string Seconds = "MAMBART_LOAD";
    private const int Conversations = 64, Scripts = 24, Tokens = 32, States = Conversations + 48;

    /// <summary>As <see cref="StoryModelTests"/> has it: of the distance of the best two logits, where activations are rounded to 8 bits.</summary>
    private const float MarginBound = 0.6f;

    private const long ManagedGrowth = 4 << 20, ResidentGrowth = 48 << 20;

    private static readonly string[] Subjects = ["gravity", "a trombone", "snow", "the moon", "bread", "a hedgehog", "the sea", "an old mill"];

    private readonly record struct Line(int[] Prompt, string Lone, string Certain);

    [LongFact(Seconds, "60")]
    public Task Answers_Deterministic_AreTheLoneOnes() => Load(deterministic: true);

    [LongFact(Seconds, "60")]
    public Task Answers_InOneBatch_AreTheLoneOnesAsFarAsTheyAreDecided() => Load(deterministic: false);

    [LongFact(Seconds, "60")]
    public async Task Answers_OnReference_AreTheLoneOnes()
    {
        using IBackend reference = TestBackends.Create(TestBackends.Reference);
        using Model model = Model.Open(StoryModelTests.BundledPath, reference, new ModelOptions { Checkpoints = null });
        string[] alone = [.. Enumerable.Range(0, Subjects.Length).Select(i =>
        {
            using Session session = model.StartSession();
            return string.Concat(new TextGenerator(session, Sampler(i, sampled: true), new GenerationOptions { MaxTokens = 2 }).Generate(Prompt(i)));
        })];
        using var host = new ModelHost(model);
        string[] together = await Task.WhenAll(Enumerable.Range(0, Conversations).Select(i => Task.Run(() =>
            Read(host.Start(Prompt(i % alone.Length), Sampler(i % alone.Length, sampled: true), new GenerationOptions { MaxTokens = 2 })))));
        Assert.All(together.Select((text, i) => (text, i)), found => Assert.Equal(alone[found.i % alone.Length], found.text));

        int[] Prompt(int i) => [.. model.Tokenizer.Encode(Subjects[i] + " is", parseSpecial: false)];
    }

    private async Task Load(bool deterministic)
    {
        var time = TimeSpan.FromSeconds(double.Parse(Environment.GetEnvironmentVariable(Seconds)!, System.Globalization.CultureInfo.InvariantCulture));   // else it is skipped
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        Line[][] scripts;
        using (Model alone = Model.Open(StoryModelTests.BundledPath, backend, new ModelOptions { Checkpoints = null }))
            scripts = [.. Enumerable.Range(0, Scripts).Select(i => Alone(alone, i, sampled: deterministic))];
        long state;
        using (Model probe = Model.Open(StoryModelTests.BundledPath, backend)) state = probe.Loaded.SlotBytes(0);
        using Model model = Model.Open(StoryModelTests.BundledPath, backend, new ModelOptions { StateBudget = States * state });
        long answers = 0, cached = 0;
        (long Managed, long Resident) early = default, late;
        using (var host = new ModelHost(model, new ModelHostOptions { MaxSequences = Conversations, Deterministic = deterministic }))
        {
            var clock = Stopwatch.StartNew();
            Task[] talks = [.. Enumerable.Range(0, Conversations).Select(i => Task.Run(() => Talk(host, i)))];
            while (clock.Elapsed < time / 3 && !Array.Exists(talks, talk => talk.IsFaulted)) await Task.Delay(100);
            early = Taken();
            await Task.WhenAll(talks);
            late = Taken();

            async Task Talk(ModelHost host, int who)
            {
                var random = new Random(who);
                for (int turn = 0; clock.Elapsed < time; turn++)
                {
                    int script = random.Next(Scripts);
                    foreach (Line line in scripts[script])
                    {
                        if (turn % 4 == who % 4) await Disturb(host, line, random.Next(4));
                        Generation answer = host.Start(line.Prompt, Sampler(script, deterministic), new GenerationOptions { MaxTokens = Tokens });
                        string text = await Read(answer, who % 16 == 0 ? 20 : 0);
                        if (deterministic) Assert.Equal(line.Lone, text);
                        else Assert.StartsWith(line.Certain, text, StringComparison.Ordinal);
                        Assert.Equal(line.Prompt.Length, answer.Stats.PromptTokens + answer.Stats.CachedTokens);
                        Interlocked.Increment(ref answers);
                        Interlocked.Add(ref cached, answer.Stats.CachedTokens);
                    }
                }
            }
        }
        output.WriteLine($"{answers} answers, {cached} tokens not fed again; managed {early.Managed >> 10} -> {late.Managed >> 10} KiB, resident {early.Resident >> 20} -> {late.Resident >> 20} MiB");
        Assert.True(answers >= 2 * Conversations, $"{answers} answers");
        Assert.True(deterministic || cached > 0);
        Assert.InRange(late.Managed - early.Managed, long.MinValue, ManagedGrowth);
        Assert.InRange(late.Resident - early.Resident, long.MinValue, ResidentGrowth);
        var left = new List<Session>();   // what is kept gives way: as many as there is room for, and not one less
        for (int i = 0; i < States; i++) left.Add(model.StartSession());
        Assert.Throws<StateBudgetException>(model.StartSession);
        left.ForEach(session => session.Dispose());
    }

    /// <summary>A request that does not end in an answer, of one of four kinds.</summary>
    private static async Task Disturb(ModelHost host, Line line, int kind)
    {
        using var cancel = new CancellationTokenSource();
        SamplerChain sampler = kind == 0 ? new SamplerChain(1, new Failing()) : Sampler(1, sampled: true);
        Generation answer = host.Start(line.Prompt, sampler, new GenerationOptions { IgnoreEos = true }, cancel.Token);
        if (kind == 1) await cancel.CancelAsync();
        try
        {
            await foreach (string _ in answer.ReadAsync())
            {
                if (kind == 2) break;   // a reader that leaves
                if (kind == 3) answer.Cancel();
            }
        }
        catch (InvalidDataException) when (kind == 0)
        {
            // The sampler's own.
        }
    }

    /// <summary>Two turns of a conversation: how each is answered when nobody else asks, and how far that answer is decided by more than rounding.</summary>
    private static Line[] Alone(Model model, int script, bool sampled)
    {
        var prompts = new ChatPrompts(model);
        var said = new List<ChatMessage>();
        return [.. new[] { "Tell me about", "And what about" }.Select((ask, turn) =>
        {
            said.Add(new ChatMessage("user", $"{ask} {Subjects[(script + 3 * turn) % Subjects.Length]}{(script >= Subjects.Length ? ", please" : "")}{(script >= 2 * Subjects.Length ? "!" : ".")}"));
            int[] prompt = prompts.Encode(said);
            using Session session = model.StartSession();
            string lone = string.Concat(new TextGenerator(session, Sampler(script, sampled), new GenerationOptions { MaxTokens = Tokens }).Generate(prompt));
            said.Add(new ChatMessage("assistant", lone));
            return new Line(prompt, lone, sampled ? "" : Certain(model, prompt));
        })];
    }

    /// <summary>The beginning of the greedy answer before the first token that leads by less than the bound, without a character that a token may have begun.</summary>
    private static string Certain(Model model, int[] prompt)
    {
        using Session session = model.StartSession();
        var text = new List<byte>();
        ReadOnlySpan<float> logits = session.Feed(prompt);
        for (int token = 0; token < Tokens; token++)
        {
            int best = ModelData.ArgMax(logits);
            float second = float.NegativeInfinity;
            for (int i = 0; i < logits.Length; i++)
                if (i != best) second = Math.Max(second, logits[i]);
            if (logits[best] - second < MarginBound || model.Tokenizer.IsEndOfGeneration(best)) break;
            text.AddRange(model.Tokenizer.Decode(best, renderSpecial: false));
            logits = session.Feed([best]);
        }
        return Encoding.UTF8.GetString([.. text]).TrimEnd('\uFFFD');
    }

    private static SamplerChain Sampler(int script, bool sampled) => new SamplingOptions { Seed = (uint)script, Temperature = sampled ? 0.9f : 0 }.Build();

    private static async Task<string> Read(Generation generation, int pause = 0)
    {
        string text = "";
        await foreach (string piece in generation.ReadAsync())
        {
            text += piece;
            if (pause > 0) await Task.Delay(pause);
        }
        return text;
    }

    private static (long Managed, long Resident) Taken()
    {
        long managed = GC.GetTotalMemory(forceFullCollection: true);
        return (managed, Environment.WorkingSet);
    }

    private sealed class Failing : ISampler
    {
        public void Apply(ref Candidates candidates) => throw new InvalidDataException("This sampler fails.");
    }
}
