using MambaRT.Backends.Cpu;
using MambaRT.Backends.Reference;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Feeding in slices of time: the same bits as at once, and nothing in between.</summary>
public sealed class SlicedFeedTests
{
    private static readonly TimeSpan Slice = TimeSpan.FromMicroseconds(100);

    public static TheoryData<string, string> Cases
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (string name in TinyModels.Names)
                foreach (string backend in TestBackends.OfTheProcessor) rows.Add(backend, name);
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void FeedInSlices_PromptAndDecode_GiveTheBitsOfFeed(string backendName, string name)
    {
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.Q8_0);
        using IBackend backend = TestBackends.Create(backendName);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { ChunkTokens = 64 });
        CheckSameBits(model, TinyModels.Tokens(150), Slice);
        CheckSameBits(model, TinyModels.Tokens(70), TimeSpan.Zero);
        CheckSameBits(model, TinyModels.Tokens(5), TimeSpan.MinValue);
        CheckSameBits(model, TinyModels.Tokens(70), TimeSpan.MaxValue);
    }

    /// <summary>Matrices large enough that a unit of a prompt is cut by rows.</summary>
    [Theory]
    [MemberData(nameof(TestBackends.Processor), MemberType = typeof(TestBackends))]
    public void FeedInSlices_StoryModel_GivesTheBitsOfFeed(string backendName)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using Model model = Model.Open(Assert.Single(Directory.EnumerateFiles(ModelData.PathOf("models"), "*.gguf")), backend);
        CheckSameBits(model, [.. Enumerable.Range(0, 300).Select(i => i * 37 % 5000)], Slice);
    }

    [Fact]
    public void FeedInSlices_UnderWay_KeepsAllElseFromTheSession()
    {
        using var opened = new Opened();
        using SlicedFeed feed = opened.Session.FeedInSlices(TinyModels.Tokens(40));
        feed.Advance(TimeSpan.Zero, out _);

        foreach (Action use in (Action[])[() => opened.Session.Feed([1]), () => opened.Session.Fork(), () => opened.Session.Save(), () => opened.Session.Reset(), () => opened.Session.FeedInSlices([1])])
            Assert.Contains("under way", Assert.Throws<InvalidOperationException>(use).Message);
    }

    /// <summary>Feeds left in the midst of a run, and between them feeds, batches, forks and copies of other sessions.</summary>
    [Fact]
    public void FeedInSlices_OtherSessionsBetween_AllGiveTheirBits()
    {
        using var opened = new Opened(chunk: 16);
        int[][] prompts = [.. Enumerable.Range(0, 4).Select(i => TinyModels.Tokens(20 + 17 * i, stream: i))];
        float[][] expected = [.. prompts.Select(prompt => Alone(opened.Model, prompt))];
        Session[] sessions = [.. prompts.Select(_ => opened.Model.StartSession())];
        SlicedFeed[] feeds = [.. prompts.Select((prompt, i) => sessions[i].FeedInSlices(prompt))];
        float[]?[] found = new float[]?[feeds.Length];
        var random = new Random(5);
        while (found.Contains(null))
        {
            int i = random.Next(feeds.Length);
            if (found[i] is null && feeds[i].Advance(TimeSpan.Zero, out ReadOnlySpan<float> logits)) found[i] = logits.ToArray();
            if (random.Next(40) > 0) continue;
            using Session other = opened.Model.StartSession(), fork = other.Fork();
            Assert.Equal(expected[1], other.Feed(prompts[1]).ToArray());
            opened.Model.FeedBatch([other, fork], [1, 2]);
        }

        Assert.Equal(expected, found);
        foreach (Session session in sessions) session.Dispose();
    }

    [Fact]
    public void Advance_AnotherUseEndedTheRun_GivesWhatCameOfIt()
    {
        using var opened = new Opened();
        using SlicedFeed feed = opened.Session.FeedInSlices(TinyModels.Tokens(40));
        feed.Advance(TimeSpan.Zero, out _);
        using Session other = opened.Model.StartSession();   // ends the run
        other.Feed([1]);
        Assert.True(feed.Advance(TimeSpan.Zero, out ReadOnlySpan<float> logits));
        Assert.Equal(Alone(opened.Model, TinyModels.Tokens(40)), logits.ToArray());
    }

    [Fact]
    public void Dispose_BeforeTheFirstTokens_LeavesTheZeroState()
    {
        using var opened = new Opened();
        float[] expected = opened.Session.Feed(TinyModels.Tokens(20)).ToArray();
        opened.Session.Reset();
        SlicedFeed feed = opened.Session.FeedInSlices(TinyModels.Tokens(40, stream: 1));
        for (int i = 0; i < 20; i++) Assert.False(feed.Advance(TimeSpan.Zero, out _));
        feed.Dispose();

        Assert.True(feed.IsOver);
        Assert.Equal(0, opened.Session.Position);
        Assert.Equal(expected, opened.Session.Feed(TinyModels.Tokens(20)).ToArray());
        Assert.Throws<InvalidOperationException>(() => feed.Advance(Slice, out _));
    }

    /// <summary>Within the copy of the state, within a token, within the second chunk.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(60)]
    public void Dispose_InTheMiddleOfASequence_GoesBack(int units)
    {
        using var opened = new Opened(chunk: 16);
        opened.Session.Feed(TinyModels.Tokens(20));
        using Session fork = opened.Session.Fork();
        int slots = opened.Model.Loaded.Slots;
        for (int i = 0; i < 3; i++)
            using (SlicedFeed feed = opened.Session.FeedInSlices(TinyModels.Tokens(40, stream: 1)))
                for (int unit = 0; unit < units; unit++) Assert.False(feed.Advance(TimeSpan.Zero, out _));

        Assert.Equal(20, opened.Session.Position);
        Assert.Equal(fork.Feed([5]).ToArray(), opened.Session.Feed([5]).ToArray());
        Assert.InRange(opened.Model.Loaded.Slots, slots, slots + 1);
    }

    [Fact]
    public void Dispose_OfTheSession_GivesBothStatesBack()
    {
        using var opened = new Opened();
        opened.Session.Feed([1]);
        SlicedFeed feed = opened.Session.FeedInSlices(TinyModels.Tokens(40));
        feed.Advance(TimeSpan.Zero, out _);
        int slots = opened.Model.Loaded.Slots;
        opened.Session.Dispose();

        Assert.Throws<ObjectDisposedException>(() => { while (!feed.Advance(Slice, out _)) { } });
        using Session first = opened.Model.StartSession(), second = opened.Model.StartSession();
        Assert.Equal(slots, opened.Model.Loaded.Slots);
        Assert.Equal(first.Feed([7]).ToArray(), second.Feed([7]).ToArray());
    }

    [Fact]
    public void Advance_ModelWasDisposed_IsRefused()
    {
        using var opened = new Opened();
        SlicedFeed feed = opened.Session.FeedInSlices(TinyModels.Tokens(40));
        feed.Advance(TimeSpan.Zero, out _);
        opened.Model.Dispose();

        Assert.True(feed.IsOver);
        Assert.Throws<ObjectDisposedException>(() => feed.Advance(Slice, out _));
        feed.Dispose();
    }

    [Fact]
    public void FeedInSlices_BadTokens_FeedNothing()
    {
        using var opened = new Opened();

        Assert.Throws<ArgumentException>(() => opened.Session.FeedInSlices([]));
        Assert.Throws<ArgumentException>(() => opened.Session.FeedInSlices([TinyModels.Vocabulary]));
        Assert.Equal(0, opened.Session.Position);
        opened.Session.Feed([1]);
    }

    [Fact]
    public void FeedInSlices_BackendThatCannot_IsRefusedInWords()
    {
        using var backend = new ReferenceBackend();
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend);
        using Session session = model.StartSession();

        Assert.Contains("reference", Assert.Throws<NotSupportedException>(() => session.FeedInSlices([1])).Message);
        session.Feed([1]);
    }

    private static void CheckSameBits(Model model, int[] prompt, TimeSpan slice)
    {
        using Session whole = model.StartSession(), sliced = model.StartSession();
        foreach (int[] tokens in (int[][])[prompt, [3], [4], [5, 6]])
        {
            float[] expected = whole.Feed(tokens).ToArray();
            Assert.Equal(expected, Feed(sliced, tokens, slice));
            Assert.Equal(whole.Position, sliced.Position);
        }
        Assert.Equal(whole.Save().State.ToArray(), sliced.Save().State.ToArray());
    }

    private static float[] Alone(Model model, int[] tokens)
    {
        using Session session = model.StartSession();
        return session.Feed(tokens).ToArray();
    }

    private static float[] Feed(Session session, int[] tokens, TimeSpan slice)
    {
        using SlicedFeed feed = session.FeedInSlices(tokens);
        for (; ; )
            if (feed.Advance(slice, out ReadOnlySpan<float> logits)) return logits.ToArray();
    }

    private sealed class Opened : IDisposable
    {
        private readonly CpuBackend _backend = new(new CpuOptions { Threads = 2 });
        private readonly TinyWeights _weights = TinyModels.Make("mamba2-g1", QuantTypes.Q8_0);

        public Opened(int? chunk = null)
        {
            Model = Model.Open(_weights.Metadata, _weights.Weights, _backend, new ModelOptions { ChunkTokens = chunk });
            Session = Model.StartSession();
        }

        public Model Model { get; }

        public Session Session { get; }

        public void Dispose()
        {
            Session.Dispose();
            Model.Dispose();
            _weights.Dispose();
            _backend.Dispose();
        }
    }
}
