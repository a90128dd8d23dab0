using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Silk.NET.Vulkan;
using Xunit;
using Buffer = Silk.NET.Vulkan.Buffer;

namespace MambaRT.Tests;

/// <summary>What the Vulkan backend does beside the contract: barriers where they are needed, weights larger than a binding, slots that move.</summary>
public sealed class VulkanTests
{
    private static readonly Buffer Memory = new(1);

    [Fact]
    public void Hazards_ReadsOfTheSame_NeedNoBarrier()
    {
        var hazards = new Hazards();
        Assert.False(hazards.Note([Reads(0, 64), Writes(64, 64)]));
        Assert.False(hazards.Note([Reads(0, 64), Writes(128, 64)]));
    }

    [Theory]
    [InlineData(64, 64, false)]    // reads what was written
    [InlineData(127, 1, false)]
    [InlineData(0, 64, true)]      // writes what was read
    [InlineData(63, 2, true)]
    [InlineData(64, 64, true)]     // writes what was written
    public void Hazards_MemoryInUse_NeedsABarrierOnce(long offset, long bytes, bool writes)
    {
        var hazards = new Hazards();
        hazards.Note([Reads(0, 64), Writes(64, 64)]);
        BufferBinding binding = writes ? Writes(offset, bytes) : Reads(offset, bytes);
        Assert.True(hazards.Note([binding]));
        Assert.Equal(writes, hazards.Note([binding]));
    }

    [Fact]
    public void Hazards_OtherMemory_NeedsNone()
    {
        var hazards = new Hazards();
        hazards.Note([Writes(0, 64)]);
        Assert.False(hazards.Note([new BufferBinding(1, new BufferSlice(new Buffer(2), 0, 64), BufferAccess.Writes), Writes(64, 64)]));
    }

    /// <summary>As lavapipe, which binds 128 MiB, with an embedding of more: here two hundred rows or so at a time.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData("mamba-tied", "F32")]
    [InlineData("mamba-untied-biases", "Q8_0")]
    [InlineData("mamba2-g3", "F16")]
    public void Feed_WeightsLargerThanABinding_SaysTheSame(string name, string type)
    {
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.ByName(type)!);
        int[] tokens = TinyModels.Tokens(5);
        float[][] logits = [.. new[] { long.MaxValue, 64 << 10 }.Select(most =>
        {
            using var backend = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { MostWeightBytes = most });
            using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { Architectures = TinyModels.Architectures });
            using Session session = model.StartSession();
            return session.FeedAll(tokens).ToArray();
        })];

        Assert.Equal(logits[0], logits[1]);
    }

    /// <summary>Slots that are reserved one by one move to larger memory, and take their states along; commands recorded before name the old one.</summary>
    [MachineFact(Needs.Vulkan)]
    public void StartSession_ManyOneByOne_EachGoesOnWhereItWas()
    {
        using var run = new TinyRun("vulkan", "mamba2-g1", QuantTypes.F32);
        int[] tokens = TinyModels.Tokens(6);
        using Session alone = run.Stepped(tokens);
        float[] expected = alone.Feed([7]).ToArray();
        var sessions = new List<Session>();
        for (int i = 0; i < 9; i++)
        {
            sessions.Add(run.Stepped(tokens.AsSpan(0, 3)));
            foreach (Session session in sessions.Where(s => s.Position < tokens.Length)) session.Feed([tokens[session.Position]]);
        }
        foreach (Session session in sessions)
        {
            while (session.Position < tokens.Length) session.Feed([tokens[session.Position]]);
            Assert.Equal(expected, session.Feed([7]).ToArray());
            session.Dispose();
        }
    }

    [Fact]
    public void WhyNot_DeviceThatIsNotThere_IsASentence()
    {
        string why = VulkanBackend.WhyNot(99)!;
        Assert.StartsWith($"Vulkan: {why}; choose --backend ", Assert.Throws<NotSupportedException>(() => new VulkanBackend(99)).Message);
    }

    [Theory]
    [InlineData(Result.ErrorOutOfDeviceMemory, "the device has too little memory", true)]
    [InlineData(Result.ErrorOutOfHostMemory, "the host has too little memory", true)]
    [InlineData(Result.ErrorDeviceLost, "the device is lost", false)]
    public void Exception_OfACallThatFailed_SaysWhatItMeans(Result result, string meaning, bool memory)
    {
        VulkanException failed = Assert.Throws<VulkanException>(() => VulkanException.Check(result, "vkQueueSubmit", "a run"));
        Assert.StartsWith($"a run: vkQueueSubmit failed with {result} ({meaning}", failed.Message);
        Assert.Equal((memory, result == Result.ErrorDeviceLost), (failed.IsOutOfMemory, failed.IsDeviceLost));
    }

    /// <summary>A model larger than the device's memory is refused before anything is placed there, as auto needs to know.</summary>
    [MachineFact(Needs.Vulkan)]
    public void WhyNot_ModelLargerThanTheDevice_SaysHowMuchItNeeds()
    {
        using var weights = new VastWeights();
        var metadata = new GgufMetadata("vast");
        metadata.Set("general.architecture", "case");
        var builder = new PlanBuilder(new ModelMetadata(metadata), weights);
        Plan plan = builder.Build(builder.SelectOutputs("outputs", builder.Embed("embed", builder.Matrix("table", VastWeights.Side, VastWeights.Side, WeightRole.Embedding))));
        using var backend = new VulkanBackend();
        Assert.Matches(@"^The model needs 4,\d{3},\d{3} MiB on the device and [\d,]+ MiB are free: 4,\d{3},\d{3} MiB are missing; take a smaller storage type, or choose --backend cpu\.$", backend.WhyNot(plan, weights));
    }

    /// <summary>A table of 4 TiB, of which not a byte is there.</summary>
    private sealed class VastWeights : IWeightSource, IDisposable
    {
        public const int Side = 1 << 20;

        public bool TryGet(string name, out TensorView view)
        {
            view = new TensorView(QuantTypes.F32, Side, Side, 0, this);
            return true;
        }

        public void EnsureReadable() { }

        public void Dispose() { }
    }

    private static BufferBinding Reads(long offset, long bytes) => new(0, new BufferSlice(Memory, offset, bytes));

    private static BufferBinding Writes(long offset, long bytes) => new(0, new BufferSlice(Memory, offset, bytes), BufferAccess.Writes);
}
