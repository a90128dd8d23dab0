using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Runs alone: the second count is of all threads of the process.</summary>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
[Collection(nameof(AllocationTests))]
public sealed class AllocationTests
{
    private const int Steps = 10, Rounds = 10, MostHundreds = 20;

    public static TheoryData<string, string> Models => TestBackends.With(TinyModels.Names);

    [Theory]
    [MemberData(nameof(Models))]
    public void Decode_AHundredTokens_AllocatesNothing(string backend, string model)
    {
        using var run = new TinyRun(backend, model, QuantTypes.Q8_0);
        using Session session = run.Model.StartSession();
        using var cancel = new CancellationTokenSource();
        SamplerChain chain = new SamplingOptions { Seed = 1, RepeatPenalty = 1.1f, Typical = 0.9f, XtcProbability = 0.2f }.Build();
        AssertNothingAllocated(session, chain, default);
        AssertNothingAllocated(session, chain, cancel.Token);
        AssertNothingAllocated(session, new SamplerChain(1, new Greedy()), default);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Prefill_SameLengthAgain_AllocatesNothing(string backend, string model)
    {
        using var run = new TinyRun(backend, model, QuantTypes.Q8_0, chunk: 16);
        using Session session = run.Model.StartSession();
        int[] tokens = TinyModels.Tokens(50);
        session.Feed(tokens);
        session.FeedAll(tokens.AsSpan(0, 16));
        session.Feed(tokens);
        Assert.Equal(0, Allocation.OnThread(() =>
        {
            session.Feed(tokens);
            session.FeedAll(tokens.AsSpan(0, 16));
            session.Reset();
        }));
    }

    /// <summary>
    /// The feeding thread allocates nothing in a hundred steps, and all threads together nothing in the quietest of each tenth step: the test host has a timer of its
    /// own that allocates ten times a second. For the reason that <see cref="Allocation"/> names, the hundred steps may be the second or a later hundred.
    /// </summary>
    private static void AssertNothingAllocated(Session session, SamplerChain chain, CancellationToken cancel)
    {
        int[] history = new int[Steps];
        int[] next = [1];
        long[] least = new long[Steps];
        Array.Fill(least, long.MaxValue);
        for (int i = 0; i < Steps; i++) Decode(session, chain, history, next, i, cancel);
        long own = long.MaxValue;
        for (int hundred = 0; (own != 0 || least.AsSpan().ContainsAnyExcept(0)) && hundred < MostHundreds; hundred++)
        {
            long start = GC.GetAllocatedBytesForCurrentThread();
            for (int step = 0; step < Rounds * Steps; step++)
            {
                int i = step % Steps;
                long all = GC.GetTotalAllocatedBytes(precise: true);
                Decode(session, chain, history, next, i, cancel);
                least[i] = Math.Min(least[i], GC.GetTotalAllocatedBytes(precise: true) - all);
            }
            own = Math.Min(own, GC.GetAllocatedBytesForCurrentThread() - start);
        }
        Assert.Equal(0, own);
        Assert.All(least, bytes => Assert.Equal(0, bytes));
    }

    private static void Decode(Session session, SamplerChain chain, int[] history, int[] next, int i, CancellationToken cancel)
    {
        next[0] = chain.Pick(session.Feed(next, cancel), history.AsSpan(0, i));
        history[i] = next[0];
    }
}
