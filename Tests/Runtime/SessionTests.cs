using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Sessions: what they refuse, how their slots come and go, and what ends them.</summary>
public sealed class SessionTests
{
    public static TheoryData<string> Backends => TestBackends.All;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Feed_NoTokenOrOneOutsideTheVocabulary_FeedsNothing(string backend)
    {
        using var run = new TinyRun(backend, "mamba2-g1", QuantTypes.F32, chunk: 4);
        using Session session = run.Stepped(TinyModels.Tokens(3));
        byte[] before = session.Save().ToBytes();
        Assert.Contains("at least one", Assert.Throws<ArgumentException>(() => session.Feed([])).Message);
        Assert.Throws<ArgumentException>(() => session.FeedAll([]));
        foreach (int token in new[] { -1, TinyModels.Vocabulary, int.MaxValue, int.MinValue })
        {
            // The bad token comes last and in the third chunk: the first two must not be fed either.
            int[] tokens = [.. TinyModels.Tokens(9), token];
            Assert.Contains($"Token {token} ", Assert.Throws<ArgumentException>(() => session.Feed(tokens)).Message);
            Assert.Throws<ArgumentException>(() => session.FeedAll(new[] { 1, token }));
        }
        Assert.Contains("at most 4", Assert.Throws<ArgumentException>(() => session.FeedAll(TinyModels.Tokens(5))).Message);
        Assert.Equal(before, session.Save().ToBytes());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Fork_AHundredTimes_KeepsEveryPast(string backend)
    {
        using var run = new TinyRun(backend, "mamba-tied", QuantTypes.F32);
        var sessions = new List<Session> { run.Model.StartSession() };
        sessions[0].Feed(new[] { 7 });
        for (int i = 0; i < 100; i++)
        {
            Session fork = sessions[i].Fork();
            fork.Feed(new[] { TinyModels.Token(i) });
            sessions.Add(fork);
        }
        Assert.True(run.Model.Loaded.Slots is >= 101 and <= 202, $"{run.Model.Loaded.Slots} slots for 101 sessions.");
        using Session replay = run.Model.StartSession();
        replay.Feed(new[] { 7 });
        for (int i = 0; i <= 100; i++)
        {
            Assert.Equal(i + 1, sessions[i].Position);
            Assert.Equal(replay.Save().State.ToArray(), sessions[i].Save().State.ToArray());
            if (i < 100) replay.Feed(new[] { TinyModels.Token(i) });
        }
        foreach (Session session in sessions) session.Dispose();
        int slots = run.Model.Loaded.Slots;
        foreach (int _ in Enumerable.Range(0, 100)) run.Model.StartSession();
        Assert.Equal(slots, run.Model.Loaded.Slots);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Dispose_OfASession_EndsItAndFreesItsSlotOnce(string backend)
    {
        using var run = new TinyRun(backend, "mamba-tied", QuantTypes.F32);
        Session session = run.Model.StartSession();
        session.Feed(new[] { 1 });
        StateSnapshot snapshot = session.Save();
        using Session other = run.Model.StartSession();
        session.Dispose();
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Feed([1]));
        Assert.Throws<ObjectDisposedException>(() => session.FeedAll([1]));
        Assert.Throws<ObjectDisposedException>(() => session.Fork());
        Assert.Throws<ObjectDisposedException>(() => session.Save());
        Assert.Throws<ObjectDisposedException>(() => session.Restore(snapshot));
        Assert.Throws<ObjectDisposedException>(session.Reset);
        Assert.Throws<ObjectDisposedException>(() => session.CopyFrom(other));
        Assert.Throws<ObjectDisposedException>(() => other.CopyFrom(session));
        // Given back twice, one slot would now serve two sessions.
        using Session first = run.Model.StartSession(), second = run.Model.StartSession();
        first.Feed(new[] { 2 });
        Assert.All(second.Save().State.ToArray(), b => Assert.Equal(0, b));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Dispose_OfTheModel_EndsTheSessionsLeft(string backend)
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using IBackend device = TestBackends.Create(backend);
        Model model = Model.Open(weights.Metadata, weights.Weights, device);
        Session session = model.StartSession(), other = model.StartSession();
        session.Feed(new[] { 1 });
        StateSnapshot snapshot = session.Save();
        model.Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.StartSession());
        Assert.Throws<ObjectDisposedException>(() => session.Feed([1]));
        Assert.Throws<ObjectDisposedException>(() => session.Fork());
        Assert.Throws<ObjectDisposedException>(() => session.Save());
        Assert.Throws<ObjectDisposedException>(() => session.Restore(snapshot));
        Assert.Throws<ObjectDisposedException>(session.Reset);
        Assert.Throws<ObjectDisposedException>(() => session.CopyFrom(other));
        session.Dispose();
        other.Dispose();
    }

    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void Feed_LargerChunksThanADeviceRuns_AreThoseThatItRuns(string backendName)
    {
        using TinyRun usual = new(backendName, "mamba-tied", QuantTypes.F32), large = new(backendName, "mamba-tied", QuantTypes.F32, chunk: 40_000);
        using Session expected = usual.Model.StartSession(), session = large.Model.StartSession();
        Assert.Equal(expected.Feed(TinyModels.Tokens(70)).ToArray(), session.Feed(TinyModels.Tokens(70)).ToArray());
        Assert.InRange(large.Model.ChunkTokens, 256, 40_000);
    }

    [Fact]
    public void Feed_CancelledBetweenChunks_GoesBackToTheStart()
    {
        using var backend = new HookedBackend();
        using TinyWeights weights = TinyModels.Make("mamba2-g3", QuantTypes.F32);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { ChunkTokens = 4 });
        using Session session = model.StartSession();
        session.Feed(TinyModels.Tokens(3));
        byte[] before = session.Save().ToBytes();
        for (int runs = 0; runs < 5; runs++)
        {
            using var cancel = new CancellationTokenSource();
            int at = backend.Runs + runs;
            backend.BeforeRun = run => { if (run == at) cancel.Cancel(); };
            Assert.ThrowsAny<OperationCanceledException>(() => session.Feed(TinyModels.Tokens(18, 1), cancel.Token));
            Assert.Equal(at + 1, backend.Runs);
            Assert.Equal(before, session.Save().ToBytes());
        }
    }

    [Fact]
    public void Feed_WhileTheModelRuns_IsRefused()
    {
        using var backend = new HookedBackend();
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend);
        using Session session = model.StartSession(), intruder = model.StartSession();
        backend.BeforeRun = _ =>
        {
            backend.BeforeRun = null;
            Assert.Contains("one thread at a time", Assert.Throws<InvalidOperationException>(() => intruder.Feed([1])).Message);
        };
        session.Feed(new[] { 1 });
        Assert.Null(backend.BeforeRun);
        intruder.Feed(new[] { 1 });
        Assert.Equal(session.Save().State.ToArray(), intruder.Save().State.ToArray());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Open_ChunkBelowOne_IsRefused(int chunk) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new TinyRun(TestBackends.Reference, "mamba-tied", QuantTypes.F32, chunk));
}
