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
    public void FeedInSlices_UnderWay_KeepsAllElseOut()
    {
        using var opened = new Opened();
        using SlicedFeed feed = opened.Session.FeedInSlices(TinyModels.Tokens(40));
        feed.Advance(TimeSpan.Zero, out _);

        foreach (Action use in (Action[])[() => opened.Session.Feed([1]), () => opened.Session.Fork(), () => opened.Session.Save(), () => opened.Model.StartSession(), () => opened.Session.FeedInSlices([1])])
            Assert.Contains("under way", Assert.Throws<InvalidOperationException>(use).Message);
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

    [Fact]
    public void Dispose_InTheMiddleOfASequence_LosesItsStateAndNotThatOfAFork()
    {
        using var opened = new Opened();
        opened.Session.Feed(TinyModels.Tokens(20));
        using Session fork = opened.Session.Fork();
        using (SlicedFeed feed = opened.Session.FeedInSlices([1, 2, 3])) feed.Advance(TimeSpan.Zero, out _);

        Assert.Contains("lost", Assert.Throws<InvalidOperationException>(() => opened.Session.Feed([1])).Message);
        opened.Session.CopyFrom(fork);
        Assert.Equal(fork.Feed([5]).ToArray(), opened.Session.Feed([5]).ToArray());
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

        public Opened()
        {
            Model = Model.Open(_weights.Metadata, _weights.Weights, _backend);
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
