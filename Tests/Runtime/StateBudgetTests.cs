using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>States stay within their budget: what is beyond is refused in words, and what can do without goes first.</summary>
public sealed class StateBudgetTests
{
    public static TheoryData<string> Backends => TestBackends.All;

    [Theory]
    [MemberData(nameof(Backends))]
    public void StartSession_BeyondTheBudget_IsRefusedAndHarmsNobody(string backend)
    {
        using TinyWeights weights = TinyModels.Make("mamba2-g1", QuantTypes.F32);
        using IBackend device = TestBackends.Create(backend);
        using Model probe = Model.Open(weights.Metadata, weights.Weights, device);
        long slot = probe.Loaded.SlotBytes(0);
        using Model model = Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { StateBudget = 3 * slot + slot / 2 });
        Session first = model.StartSession(), second = model.StartSession();
        first.Feed([1, 2]);
        using Session third = first.Fork();
        string message = Assert.Throws<StateBudgetException>(() => model.StartSession()).Message;
        Assert.Contains("no room for 4", message);
        Assert.Contains("StateBudget", message);
        Assert.Throws<StateBudgetException>(() => first.Fork());
        Assert.Equal(2, third.Position);
        second.Dispose();
        using Session again = first.Fork();
        Assert.Equal(3, model.Loaded.Slots);
    }

    [Theory]
    [InlineData(0, null, "ChunkTokens is 0")]
    [InlineData(-1, null, "ChunkTokens is -1")]
    [InlineData(int.MaxValue, null, "ChunkTokens is 2147483647")]
    [InlineData(null, -1L, "StateBudget is -1 bytes")]
    public void Open_OptionsOutOfRange_AreRefusedByName(int? chunk, long? budget, string said)
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using IBackend device = TestBackends.Create("cpu");
        var options = new ModelOptions { ChunkTokens = chunk, StateBudget = budget };

        string message = Assert.Throws<ArgumentOutOfRangeException>(() => Model.Open(weights.Metadata, weights.Weights, device, options)).Message;

        Assert.Contains("ModelOptions." + said, message, StringComparison.Ordinal);
    }

    /// <summary>Clearing it fails, or copying over it.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Fork_DeviceFails_GivesTheStateBack(int failing)
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using var device = new HookedBackend();
        using Model probe = Model.Open(weights.Metadata, weights.Weights, device);
        using Model model = Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { StateBudget = 2 * probe.Loaded.SlotBytes(0) });
        using Session session = model.StartSession();
        session.Feed([1]);
        int calls = 0;
        device.BeforeSlot = () =>
        {
            if (++calls == failing) throw new IOException("the device went away");
        };

        Assert.Throws<IOException>(session.Fork);

        using Session fork = session.Fork();
        Assert.Equal(session.Feed([2]).ToArray(), fork.Feed([2]).ToArray());
    }

    [Fact]
    public void ImportSlot_AtANegativePosition_IsRefused()
    {
        foreach (string name in TestBackends.Names)
        {
            using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
            using IBackend device = TestBackends.Create(name);
            using ILoadedModel model = device.Load(Architecture.Record(weights.Metadata, weights.Weights), weights.Weights, new LoadOptions());
            Assert.Throws<ArgumentOutOfRangeException>(() => model.ImportSlot(1, -1, new MemoryStream(new byte[model.SlotBytes(0)])));
        }
    }

    [Fact]
    public void Fork_AMillionTimes_TakesTheMemoryOfTwo()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using IBackend device = TestBackends.Create("cpu");
        using Model model = Model.Open(weights.Metadata, weights.Weights, device);
        using Session session = model.StartSession();
        session.Feed([1]);
        for (int i = 0; i < 1_000_000; i++) session.Fork().Dispose();
        Assert.Equal(2, model.Loaded.Slots);
    }
}
