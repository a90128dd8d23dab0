using MambaRT.Backends.Reference;
using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>A step in one dispatch, whose workgroups hand values on to each other. One workgroup is always under way together with itself; more are seldom so in software.</summary>
public sealed class VulkanRelayTests
{
    [MachineTheory(Needs.Vulkan)]
    [InlineData(TinyModels.Ranked, "F16")]
    [InlineData(TinyModels.Ranked, "BF16")]
    [InlineData(TinyModels.Ranked, "Q8_0")]
    [InlineData("mamba2-g1", "F16")]
    [InlineData("mamba2-g1", "Q8_0")]
    public void Step_InOneDispatch_EqualsTheReference(string model, string type)
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 1 }, model, type);
        run.CheckStep(0);
        Assert.Equal(1, run.Loaded.RelayGroups);
        for (int i = 1; i < 8; i++) run.CheckStep(i);
    }

    /// <summary>Rows of weights that eight threads read by groups of three, four, three and two loads, and of four of which the last of a row is not whole.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData(192, 384, "F16")]
    [InlineData(256, 512, "BF16")]
    [InlineData(384, 768, "Q8_0")]
    [InlineData(128, 256, "F16")]
    [InlineData(208, 400, "F16")]
    public void Step_OfWideRows_EqualsTheReference(int width, int inner, string type)
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 1 }, TinyModels.RankedOf(width, inner), type);
        for (int i = 0; i < 4; i++) run.CheckStep(i);
        Assert.Equal(1, run.Loaded.RelayGroups);
    }

    /// <summary>Subgroups that have no more than two rows of one group of loads, or one of two, of some products or of all.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData(32, 48, "F16")]
    [InlineData(48, 128, "F16")]
    [InlineData(48, 256, "BF16")]
    [InlineData(32, 512, "Q8_0")]
    public void Step_OfFewRows_EqualsTheReference(int width, int inner, string type)
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 1, RelayFew = true }, TinyModels.RankedOf(width, inner), type);
        for (int i = 0; i < 4; i++) run.CheckStep(i);
        Assert.Equal(1, run.Loaded.RelayGroups);
    }

    /// <summary>Workgroups that really wait for each other, with runs of another kind in between: values take two places by turns, and nothing of an earlier run is found.</summary>
    [MachineTheory(Needs.VulkanCard)]
    [InlineData(TinyModels.Ranked, "F16", false)]
    [InlineData(TinyModels.Ranked, "Q8_0", true)]
    [InlineData("mamba2-g1", "F16", false)]
    [InlineData("mamba2-g1", "BF16", true)]
    public void Step_OfManyWorkgroups_FindsNothingOfAnEarlierRun(string model, string type, bool few)
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 64, RelayFew = few }, model, type);
        for (int i = 0; i < 4; i++) run.CheckStep(i);
        for (int i = 4; i < 40; i += 2)
        {
            run.Feed(i);
            run.CheckStep(i + 1);
        }
        Assert.Equal(64, run.Loaded.RelayGroups);
    }

    /// <summary>A run that was not sent has neither its values nor cleared those before.</summary>
    [MachineFact(Needs.Vulkan)]
    public void Step_AfterOneThatWasNotSent_FindsNothingOfAnEarlierRun()
    {
        using var driver = new FailingVulkan();
        using var run = new Steps(new VulkanSettings { RelayGroups = VulkanBackend.IsSoftware(0) ? 1 : 64 }, TinyModels.Ranked, "F16", driver.Instance);
        for (int turn = 0; turn < 4; turn++)
        {
            run.Restart();
            for (int i = 0; i <= turn; i++) run.CheckStep(i);
            driver.Fail("vkQueueSubmit", 0, Silk.NET.Vulkan.Result.ErrorOutOfHostMemory);
            Assert.Throws<VulkanException>(() => run.CheckStep(turn + 1));
            driver.Heal();
        }
        Assert.NotEqual(0, run.Loaded.RelayGroups);
    }

    /// <summary>Where slots move, all that was written down of them is written down again.</summary>
    [MachineFact(Needs.Vulkan)]
    public void Step_AfterSlotsMoved_FindsItsState()
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 1 }, "mamba2-g1", "F16");
        for (int i = 0; i < 3; i++) run.CheckStep(i);
        run.Loaded.ReserveSlots(40);
        for (int i = 3; i < 6; i++) run.CheckStep(i);
        Assert.Equal(1, run.Loaded.RelayGroups);
    }

    [MachineTheory(Needs.Vulkan)]
    [InlineData("mamba-tied", "F16")]     // a rank of 5
    [InlineData("falcon", "Q8_0")]        // norms of dt, B and C
    [InlineData("mamba2-g1", "F32")]
    [InlineData(TinyModels.Ranked, "Q4_0")]
    public void Step_OfAnotherShape_GoesBySeveralDispatches(string model, string type)
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 1 }, model, type);
        for (int i = 0; i < 3; i++) run.CheckStep(i);
        Assert.Equal(0, run.Loaded.RelayGroups);
    }

    /// <summary>More workgroups than any device has under way: the trial ends, and says no.</summary>
    [MachineFact(Needs.Vulkan)]
    public void Trial_WorkgroupsNotTogether_LeavesStepsToSeveralDispatches()
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 4096 }, TinyModels.Ranked, "F16");
        run.CheckStep(0);
        Assert.InRange(run.Loaded.RelayGroups, 0, 4096 / 2);
        for (int i = 1; i < 3; i++) run.CheckStep(i);
    }

    /// <summary>A run whose workgroups wait in vain ends, says so, and is the last that goes so.</summary>
    [MachineFact(Needs.Vulkan)]
    public void Step_WorkgroupsNotTogether_FailsAndTheNextGoesOtherwise()
    {
        using var run = new Steps(new VulkanSettings { RelayGroups = 4096 }, TinyModels.Ranked, "F16");
        run.Loaded.HasTriedRelay = true;

        var failure = Assert.Throws<VulkanException>(() => run.CheckStep(0));
        Assert.Contains("several dispatches from now on", failure.Message, StringComparison.Ordinal);
        Assert.Null(run.Loaded.PositionOf(1));

        run.Loaded.ClearSlot(1);
        for (int i = 0; i < 3; i++) run.CheckStep(i);
        Assert.Equal(0, run.Loaded.RelayGroups);
    }

    /// <summary>Values have places of their own: megabytes at a large model, which are asked for before anything is loaded.</summary>
    [MachineTheory(Needs.Vulkan)]
    [InlineData(TinyModels.Ranked, "F16")]
    [InlineData("mamba2-g1", "Q8_0")]
    public void Estimate_OfStepsInOneDispatch_CountsWhatIsHandedOn(string model, string type)
    {
        using var asked = new Steps(new VulkanSettings { RelayGroups = 1 }, model, type);
        using var plain = new Steps(new VulkanSettings { Relay = false }, model, type);
        asked.CheckStep(0);
        plain.CheckStep(0);
        Assert.Equal(1, asked.Loaded.RelayGroups);
        long more = asked.Loaded.Memory.Scratch - plain.Loaded.Memory.Scratch, counted = asked.Estimate.Scratch - plain.Estimate.Scratch;
        Assert.True(more > 0 && counted >= more && counted < 4 * more, $"{counted} bytes are counted and {more} taken");
    }

    [MachineFact(Needs.Vulkan)]
    public void Description_OfSoftware_TellsOfOneDispatchOnlyWhereAsked()
    {
        using var asked = new VulkanBackend(VulkanLoader.Instance, 0, new VulkanSettings { RelayGroups = 1 });
        using var plain = new VulkanBackend(VulkanLoader.Instance, 0, VulkanSettings.Plain);
        Assert.Contains("steps in one dispatch", asked.Description, StringComparison.Ordinal);
        Assert.DoesNotContain("steps in one dispatch", plain.Description, StringComparison.Ordinal);
    }

    /// <summary>A model on the device and on the reference, fed the same tokens one by one.</summary>
    private sealed class Steps : IDisposable
    {
        private readonly TinyWeights _weights;
        private readonly VulkanBackend _backend;
        private readonly ReferenceBackend _reference = new();
        private readonly ILoadedModel _expected;
        private readonly IExecutable _run, _expectedRun;

        public Steps(VulkanSettings settings, string model, string type, VulkanInstance? instance = null)
        {
            var options = new LoadOptions { Slots = 2 };
            _weights = TinyModels.Make(model, QuantTypes.ByName(type)!);
            Plan plan = Architecture.Record(_weights.Metadata, _weights.Weights);
            _backend = new VulkanBackend(instance ?? VulkanLoader.Instance, 0, settings with { IntegerDot = false });   // several dispatches are held to the same bound, and may round where this is on
            Estimate = _backend.Estimate(plan, _weights.Weights, options);
            Loaded = (VulkanModel)_backend.Load(plan, _weights.Weights, options);
            _expected = _reference.Load(plan, _weights.Weights, options);
            _run = Loaded.Compile(new BatchShape(1, 1, 1));
            _expectedRun = _expected.Compile(new BatchShape(1, 1, 1));
            Restart();
        }

        public VulkanModel Loaded { get; }

        public MemoryUse Estimate { get; }

        /// <summary>Forgets what was fed.</summary>
        public void Restart()
        {
            Loaded.ClearSlot(1);
            _expected.ClearSlot(1);
        }

        /// <summary>Feeds the token of a position and compares its logits.</summary>
        public void CheckStep(int position)
        {
            float[] got = Step(_run, position);   // first: what fails is fed to neither
            new Tolerance(5e-5, "sums in another order").Check($"step {position}", Step(_expectedRun, position), got);
        }

        /// <summary>Feeds the token of a position without asking for logits, which no step in one dispatch does.</summary>
        public void Feed(int position)
        {
            foreach (IExecutable run in (IExecutable[])[_run, _expectedRun]) Step(run, position, OutputRows.None);
        }

        public void Dispose()
        {
            _run.Dispose();
            _expectedRun.Dispose();
            Loaded.Dispose();
            _expected.Dispose();
            _backend.Dispose();
            _reference.Dispose();
            _weights.Dispose();
        }

        private static float[] Step(IExecutable run, int position, OutputRows outputs = OutputRows.Last) =>
            run.Await(run.Start(new Batch { Tokens = [TinyModels.Token(position)], Sequences = [new SequenceSpan(1, position, 0, 1, outputs)] })).Logits.ToArray();
    }
}
