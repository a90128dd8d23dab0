using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Runtime on a device that runs late, on a thread of its own, and fails in the middle.</summary>
public sealed class LateBackendTests : IDisposable
{
    private readonly TinyWeights _weights = TinyModels.Make("mamba2-g3", QuantTypes.F32);
    private readonly LateBackend _backend = new();
    private readonly Model _model;

    public LateBackendTests() => _model = Model.Open(_weights.Metadata, _weights.Weights, _backend, new ModelOptions { ChunkTokens = 4 });

    public void Dispose()
    {
        _model.Dispose();
        _backend.Dispose();
        _weights.Dispose();
    }

    [Fact]
    public void Feed_OnALateDevice_EqualsTheReference()
    {
        using var reference = new TinyRun(TestBackends.Reference, "mamba2-g3", QuantTypes.F32, chunk: 4);
        using Session late = _model.StartSession(), plain = reference.Model.StartSession();
        int[] tokens = TinyModels.Tokens(11);
        Assert.Equal(plain.Feed(tokens).ToArray(), late.Feed(tokens).ToArray());
        Assert.Equal(plain.Feed([5]).ToArray(), late.Feed([5]).ToArray());
        Assert.Equal(plain.Save().State.ToArray(), late.Save().State.ToArray());
        using Session fork = late.Fork();
        Assert.Equal(plain.FeedAll([1, 2, 3]).ToArray(), fork.FeedAll([1, 2, 3]).ToArray());
        var pick = new TokenPick(1.2f, 20, 0.9f, 0.02f, 7);
        plain.CopyFrom(reference.Stepped([.. tokens, 5]));
        Assert.Equal(plain.Pick([9], pick), late.Pick([9], pick));
    }

    [Fact]
    public void Start_TokenThatTheRunBeforePicked_NeedsNoHostBetween()
    {
        using var reference = new TinyRun(TestBackends.Reference, "mamba2-g3", QuantTypes.F32);
        using Session plain = reference.Model.StartSession();
        var pick = new TokenPick(0.9f, Seed: 4);
        var expected = new List<int> { plain.Pick([3], pick) };
        while (expected.Count < 12) expected.Add(plain.Pick([expected[^1]], pick));

        Assert.Equal(expected, PickedInARow(_model, 3, pick, expected.Count));
        Assert.Equal(2, _backend.MostInFlight);
    }

    /// <summary>Tokens that are picked one after the other, each run started before the token of the one before is known here.</summary>
    public static List<int> PickedInARow(Model model, int token, TokenPick pick, int count)
    {
        ILoadedModel loaded = model.Loaded;
        loaded.ReserveSlots(1);
        loaded.ClearSlot(1);
        using IExecutable executable = loaded.Compile(new BatchShape(1, 1, 1));
        var picked = new List<int>();
        RunTicket before = default;
        for (int i = 0; i < count; i++)
        {
            RunTicket run = executable.Start(new Batch { Tokens = [i == 0 ? token : Batch.LastPick], Sequences = [new SequenceSpan(1, i, 0, 1, OutputRows.Last)], Picks = [pick], WantsLogits = false });
            if (i > 0) picked.Add(executable.Await(before).Picked[0]);
            before = run;
        }
        picked.Add(executable.Await(before).Picked[0]);
        return picked;
    }

    [Fact]
    public void Feed_DeviceFailsWithinAPrompt_LeavesTheSessionAsItWas()
    {
        using Session session = _model.StartSession();
        session.Feed(TinyModels.Tokens(3));
        byte[] before = session.Save().ToBytes();
        _backend.FailingRun = 3;   // the second of the next feed's chunks
        Assert.Contains("planned", Assert.Throws<InvalidOperationException>(() => session.Feed(TinyModels.Tokens(14, 1))).Message);
        Assert.Equal(before, session.Save().ToBytes());
        Assert.Equal(3, session.Position);
        session.Feed(TinyModels.Tokens(14, 1));
        Assert.Equal(17, session.Position);
    }

    [Fact]
    public void Feed_DeviceFailsWithinAToken_LosesTheStateAndSaysSo()
    {
        using Session session = _model.StartSession(), other = _model.StartSession();
        session.Feed(TinyModels.Tokens(3));
        other.Feed([1]);
        StateSnapshot kept = session.Save();
        _backend.FailingRun = 3;
        Assert.Throws<InvalidOperationException>(() => session.Feed([1]));
        Assert.Contains("lost", Assert.Throws<InvalidOperationException>(() => session.Feed([1])).Message);
        Assert.Contains("lost", Assert.Throws<InvalidOperationException>(() => session.Fork()).Message);
        Assert.Contains("lost", Assert.Throws<InvalidOperationException>(() => session.Save()).Message);
        other.Feed([2]);
        session.Restore(kept);
        session.Feed([1]);
        Assert.Equal(4, session.Position);
    }
}
