using MambaRT.Backends.Reference;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Two devices as one, where it matters that they are two: which layers each gets, and what happens when one is late or fails. All else is tested on the pairs of <see cref="TestBackends"/>.</summary>
public sealed class SplitBackendTests : IDisposable
{
    private const int Layers = 4;

    private readonly TinyWeights _weights = TinyModels.Make("mamba2-g3", QuantTypes.F32, layers: Layers);

    public void Dispose() => _weights.Dispose();

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 4)]
    [InlineData(99, 4)]
    public void Load_LastLayers_AreThoseOfTheSecondDevice(int asked, int given)
    {
        int ofFirst = 0, ofLast = 0;
        using var split = new SplitBackend(new HookedBackend { BeforeLoad = plan => ofFirst = plan.Layers.Length }, new HookedBackend { BeforeLoad = plan => ofLast = plan.Layers.Length }, asked);
        using Model model = Model.Open(_weights.Metadata, _weights.Weights, split);
        Assert.Equal((Layers - given, given), (ofFirst, ofLast));
        Assert.Equal("hooked+hooked", model.BackendName);
        Assert.Equal(model.Plan.States.Bytes(0), model.Loaded.SlotBytes(0));
    }

    [Fact]
    public void Feed_SplitTwice_EqualsTheWholeBitForBit()
    {
        using var whole = new ReferenceBackend();
        using var inner = new SplitBackend(new LateBackend(), new ReferenceBackend(), 1);
        using var split = new SplitBackend(new ReferenceBackend(), inner, 3);
        using Model plain = Model.Open(_weights.Metadata, _weights.Weights, whole), model = Model.Open(_weights.Metadata, _weights.Weights, split, new ModelOptions { ChunkTokens = 4 });
        using Session expected = plain.StartSession(), session = model.StartSession();
        Assert.Equal(expected.Feed(TinyModels.Tokens(11)).ToArray(), session.Feed(TinyModels.Tokens(11)).ToArray());
        Assert.Equal(expected.FeedAll([1, 2, 3]).ToArray(), session.FeedAll([1, 2, 3]).ToArray());
        Assert.Equal(expected.Save().State.ToArray(), session.Save().State.ToArray());
        Assert.Equal(plain.Fingerprint, model.Fingerprint);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Start_TokenThatTheRunBeforePicked_IsLookedUpByTheFirstDevice(bool lateFirst)
    {
        using var reference = new ReferenceBackend();
        using Model plain = Model.Open(_weights.Metadata, _weights.Weights, reference);
        using Session session = plain.StartSession();
        var pick = new TokenPick(0.9f, Seed: 4);
        var expected = new List<int> { session.Pick([3], pick) };
        while (expected.Count < 12) expected.Add(session.Pick([expected[^1]], pick));

        using var split = new SplitBackend(lateFirst ? new LateBackend() : new ReferenceBackend(), lateFirst ? new ReferenceBackend() : new LateBackend(), 2);
        using Model model = Model.Open(_weights.Metadata, _weights.Weights, split);
        Assert.Equal(expected, LateBackendTests.PickedInARow(model, 3, pick, expected.Count));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Feed_OneDeviceFails_ConcernsItsSessionAlone(bool first)
    {
        var late = new LateBackend();
        using var split = new SplitBackend(first ? late : new ReferenceBackend(), first ? new ReferenceBackend() : late, 2);
        using Model model = Model.Open(_weights.Metadata, _weights.Weights, split, new ModelOptions { ChunkTokens = 4 });
        using Session session = model.StartSession(), other = model.StartSession();
        session.Feed(TinyModels.Tokens(3));
        other.Feed([1]);
        StateSnapshot kept = session.Save();
        late.FailingRun = 4;   // the second of the next feed's chunks
        Assert.Contains("planned", Assert.Throws<InvalidOperationException>(() => session.Feed(TinyModels.Tokens(14, 1))).Message);
        Assert.Equal(kept.ToBytes(), session.Save().ToBytes());
        late.FailingRun = 5;
        Assert.Contains("planned", Assert.Throws<InvalidOperationException>(() => session.Feed([1])).Message);
        Assert.Contains("lost", Assert.Throws<InvalidOperationException>(() => session.Feed([1])).Message);
        other.Feed([2]);
        session.Restore(kept);
        session.Feed([1]);
        Assert.Equal(4, session.Position);
    }

    /// <summary>Both devices' states are let go, or neither's: the budget is for both.</summary>
    [Fact]
    public void StartSession_BeyondTheBudgetOfBoth_IsRefused()
    {
        using var split = new SplitBackend(new ReferenceBackend(), new ReferenceBackend(), 2);
        using Model model = Model.Open(_weights.Metadata, _weights.Weights, split, new ModelOptions { StateBudget = 1 });
        Assert.Throws<StateBudgetException>(model.StartSession);
    }

    [Fact]
    public void Load_SecondDeviceFails_GivesTheFirstBack()
    {
        var first = new HookedBackend();
        using var split = new SplitBackend(first, new HookedBackend { BeforeLoad = _ => throw new IOException("a planned failure") }, 2);
        Assert.Throws<IOException>(() => Model.Open(_weights.Metadata, _weights.Weights, split));
        Assert.Equal(1, first.Disposed);
    }

    [Fact]
    public void WhyNot_EitherDevice_IsSaid()
    {
        Plan plan = Model.PlanOf(_weights.Metadata, _weights.Weights);
        using var fits = new SplitBackend(new HookedBackend(), new HookedBackend(), 2);
        using var none = new SplitBackend(new HookedBackend(), new HookedBackend { Why = "too large" }, 2);
        using var alone = new SplitBackend(new HookedBackend(), new HookedBackend { Why = "too large" }, 0);
        Assert.Equal((null, "too large", null), (fits.WhyNot(plan, _weights.Weights), none.WhyNot(plan, _weights.Weights), alone.WhyNot(plan, _weights.Weights)));
    }

    [Fact]
    public void Open_Cancelled_LeavesNothing()
    {
        var first = new HookedBackend();
        using var cancel = new CancellationTokenSource();
        using var split = new SplitBackend(first, new HookedBackend { BeforeLoad = _ => cancel.Cancel() }, 2);
        Assert.Throws<OperationCanceledException>(() => Model.Open(_weights.Metadata, _weights.Weights, split, cancel: cancel.Token));
        Assert.Equal(1, first.Disposed);
    }
}
