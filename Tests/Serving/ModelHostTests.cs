using System.Runtime.CompilerServices;
using MambaRT.Serving;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Many answers at once: each as if alone, none held up by another's prompt, reader, sampler or end.</summary>
public sealed class ModelHostTests : IDisposable
{
    private const int Chunk = 16;

    private static readonly ModelHostOptions ByHand = new() { Manual = true };

    private readonly TinyModel _tiny = new(chunk: Chunk);

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task Start_ManyThreads_EveryAnswerIsTheLoneOne()
    {
        const int Answers = 64;
        string[] alone = [.. Enumerable.Range(0, Answers).Select(Alone)];
        int slots;
        using (var host = new ModelHost(_tiny.Model, new ModelHostOptions { MaxSequences = 8, Deterministic = true }))
        {
            string[] together = await Task.WhenAll(Enumerable.Range(0, Answers).Select(i => Task.Run(() => Read(host.Start(Prompt(i), Sampler(i), Length(i))))));
            Assert.Equal(alone, together);
            slots = _tiny.Model.Loaded.Slots;
        }
        Assert.True(slots <= 8 + 2, $"{slots} slots for 8 sequences");   // the scratch slot, and the lone session's
    }

    [Fact]
    public void Start_QueueFull_LeavesNothingWithWhatWouldCancelIt()
    {
        using var host = new ModelHost(_tiny.Model, new ModelHostOptions { Manual = true, MaxSequences = 1, MaxQueue = 0 });
        host.Start(Prompt(0), Sampler(0), Endless);
        using var lasting = new CancellationTokenSource();
        WeakReference refused = Refused();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(refused.IsAlive, "what was refused is still held");
        Assert.False(lasting.IsCancellationRequested);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Refused()
        {
            int[] prompt = [1, 2, 3];
            Assert.Throws<QueueFullException>(() => host.Start(prompt, Sampler(1), Endless, lasting.Token));
            return new WeakReference(prompt);
        }
    }

    [Fact]
    public void Step_LongPromptBesideAnAnswer_DelaysItByNoStep()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        Generation running = host.Start(Prompt(1), Sampler(1), Endless);
        Steps(host, 3);
        Generation reading = host.Start(TinyTokens(10 * Chunk), Sampler(2), Endless);
        for (int step = 0; step < 10; step++)
        {
            int before = running.Stats.GeneratedTokens;
            Assert.True(host.Step());
            Assert.Equal(before + 1, running.Stats.GeneratedTokens);
            Assert.Equal((step + 1) * Chunk, reading.Stats.PromptTokens);
        }
        Assert.Equal(1, reading.Stats.GeneratedTokens);
    }

    [Fact]
    public void Step_TwoLongPrompts_TakeTurnsByChunks()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        Generation first = host.Start(TinyTokens(10 * Chunk), Sampler(1), Endless), second = host.Start(TinyTokens(4 * Chunk), Sampler(2), Endless);
        for (int step = 0; step < 8; step++)
        {
            host.Step();
            Assert.InRange(first.Stats.PromptTokens - second.Stats.PromptTokens, 0, Chunk);
        }
        Assert.Equal(1, second.Stats.GeneratedTokens);
    }

    [Fact]
    public void Start_MoreThanMayWait_IsRefused()
    {
        using var host = new ModelHost(_tiny.Model, ByHand with { MaxSequences = 2, MaxQueue = 1 });
        Generation[] taken = [.. Enumerable.Range(0, 3).Select(i => host.Start(Prompt(i), Sampler(i), Endless))];
        QueueFullException refusal = Assert.Throws<QueueFullException>(() => host.Start(Prompt(9), Sampler(9)));
        Assert.Contains("queue is full", refusal.Message, StringComparison.Ordinal);
        host.Step();
        Assert.Equal(1, host.Waiting);
        Assert.Throws<QueueFullException>(() => host.Start(Prompt(9), Sampler(9)));
        taken[0].Cancel();
        Steps(host, 2);
        Assert.Equal(0, host.Waiting);
        host.Start(Prompt(9), Sampler(9)).Cancel();
    }

    [Fact]
    public async Task Cancel_WaitingInThePromptOrInTheAnswer_EndsThatOneAlone()
    {
        using var host = new ModelHost(_tiny.Model, ByHand with { MaxSequences = 3 });
        using var source = new CancellationTokenSource();
        Generation answering = host.Start(Prompt(1), Sampler(1), Endless), other = host.Start(Prompt(3), Sampler(3), Length(3));
        Steps(host, 4);
        Generation reading = host.Start(TinyTokens(20 * Chunk), Sampler(2), Endless, source.Token), waiting = host.Start(Prompt(4), Sampler(4), Endless);
        Steps(host, 3);
        Assert.Equal(1, host.Waiting);
        waiting.Cancel();
        source.Cancel();
        answering.Cancel();
        Steps(host, 1);
        await Task.WhenAll(waiting.Completion, reading.Completion, answering.Completion).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.All([waiting, reading, answering], ended => Assert.Equal(StopReason.Cancelled, ended.Stats.Reason));
        Assert.Equal(3 * Chunk, reading.Stats.PromptTokens);
        Steps(host, 60);
        Assert.Equal(Alone(3), other.TryRead());
        Assert.Null(other.TryRead());
    }

    [Fact]
    public async Task Step_SamplerThatThrows_EndsItsOwnAnswerAlone()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        Generation broken = host.Start(Prompt(1), new SamplerChain(1, new ThrowingSampler(5)), Endless), other = host.Start(Prompt(2), Sampler(2), Length(2));
        Steps(host, 60);
        await Assert.ThrowsAsync<InvalidDataException>(() => broken.Completion);
        Assert.Equal(5, broken.Stats.GeneratedTokens);
        Assert.Throws<InvalidDataException>(() => { while (broken.TryRead() is not null) { } });
        Assert.Equal(Alone(2), other.TryRead());
    }

    [Fact]
    public void Step_ReaderThatDoesNotRead_MakesItsOwnAnswerWait()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        Generation unread = host.Start(Prompt(1), Sampler(1), Endless);
        while (host.Step()) { }
        int paused = unread.Stats.GeneratedTokens;
        Assert.InRange(paused, 4000, 6000);
        Generation other = host.Start(Prompt(2), Sampler(2), Length(2));
        while (host.Step()) { }
        Assert.Equal(Alone(2), other.TryRead());
        Assert.Equal(paused, unread.Stats.GeneratedTokens);
        string text = unread.TryRead()!;   // there is some
        Assert.True(host.Step());
        for (int step = 0; step < 100; step++) host.Step();
        text += unread.TryRead();
        Assert.Equal(unread.Stats.GeneratedTokens, text.Length);
        Assert.True(text.Length > paused + 90);
    }

    [Fact]
    public async Task Dispose_InTheMidst_EndsAllAnswers()
    {
        var host = new ModelHost(_tiny.Model, new ModelHostOptions { MaxSequences = 2 });
        Generation[] all = [.. Enumerable.Range(0, 4).Select(i => host.Start(Prompt(i), Sampler(i), Endless))];
        string read = "";
        await foreach (string piece in all[0].ReadAsync())
        {
            read += piece;
            if (read.Length > 20) host.Dispose();
        }
        await Task.WhenAll(all.Select(one => one.Completion)).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.All(all, one => Assert.Equal(StopReason.Cancelled, one.Stats.Reason));
        Assert.Throws<ObjectDisposedException>(() => host.Start(Prompt(1), Sampler(1)));
        using Session session = _tiny.Model.StartSession();   // the model is the caller's again
        session.Feed([1]);
    }

    [Fact]
    public void Dispose_WithinUse_IsRefused()
    {
        using var host = new ModelHost(_tiny.Model);
        host.Start(Prompt(0), Sampler(0), Endless);
        Assert.Contains("within Use", Assert.Throws<InvalidOperationException>(() => host.Use(_ => { host.Dispose(); return 0; })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Use_BetweenSteps_HasTheModel()
    {
        using var host = new ModelHost(_tiny.Model);
        Generation running = host.Start(Prompt(1), Sampler(1), Length(1));
        long position = host.Use(model =>
        {
            using Session session = model.StartSession();
            session.Feed(Prompt(2).Span);
            return session.Position;
        });
        Assert.Equal(Prompt(2).Length, position);
        await running.Completion.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Throws<InvalidOperationException>(() => host.Step());
    }

    [Fact]
    public void Step_AnswersUnderWay_AllocatesNothing()
    {
        using var host = new ModelHost(_tiny.Model, ByHand);
        for (int i = 0; i < 4; i++) host.Start(Prompt(i), Sampler(i), Endless);
        Steps(host, 200);
        Assert.Equal(0, Allocation.OnThread(() => host.Step()));
    }

    private static GenerationOptions Endless { get; } = new() { IgnoreEos = true };

    private static ReadOnlyMemory<int> Prompt(int i) => TinyTokens(5 + 7 * (i % 6));

    private static int[] TinyTokens(int count) => [.. Enumerable.Range(0, count).Select(i => 32 + i * 7 % 90)];

    /// <summary>Every other one by samplers that the device can be told.</summary>
    private static SamplerChain Sampler(int i) => (i % 2 == 1 ? TinyModel.Printable((uint)i + 1) : new SamplingOptions { Seed = (uint)i + 1, Temperature = 1.5f }).Build();

    private static GenerationOptions Length(int i) => new() { MaxTokens = 10 + i % 20 };

    private static void Steps(ModelHost host, int count)
    {
        for (int i = 0; i < count; i++) host.Step();
    }

    private static async Task<string> Read(Generation generation)
    {
        string text = "";
        await foreach (string piece in generation.ReadAsync()) text += piece;
        return text;
    }

    private string Alone(int i)
    {
        using Session session = _tiny.Model.StartSession();
        return string.Concat(new TextGenerator(session, Sampler(i), Length(i)).Generate(Prompt(i)));
    }

    /// <summary>Picks a letter some times, and then fails.</summary>
    private sealed class ThrowingSampler(int good) : ISampler
    {
        private int _picked;

        public void Apply(ref Candidates candidates)
        {
            if (_picked++ == good) throw new InvalidDataException("This sampler has had enough.");
            candidates.Logits.Fill(float.NegativeInfinity);
            candidates.Logits['a'] = 0;
        }
    }
}
