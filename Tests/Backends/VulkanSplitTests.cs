using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Work that is more than a device is given at a time goes in several submissions, between which a run can be cancelled; and what a device has is left unused in turn.</summary>
public sealed class VulkanSplitTests
{
    private static readonly int[] Prompt = TinyModels.Tokens(60);

    public static TheoryData<string> Capabilities => ["subgroups", "texels", "matrices", "mapped memory", "short shaders", "all"];

    [MachineTheory(Needs.Vulkan)]
    [InlineData("mamba-tied")]
    [InlineData("mamba2-g3")]
    public void Feed_MoreWorkThanASubmission_SaysTheSame(string name)
    {
        using var driver = new FailingVulkan();
        (float[] whole, long submissions) = Feed(driver, long.MaxValue, name);
        (float[] parts, long more) = Feed(driver, 1, name);
        Assert.Equal(whole, parts);
        Assert.InRange(more, 8 * submissions, long.MaxValue);   // one a dispatch
        Assert.Equal(submissions, Feed(driver, Workload.MostOfASubmission, name).Submissions);
    }

    [MachineFact(Needs.Vulkan)]
    public void Feed_CancelledBetweenSubmissions_GoesBackToWhereItWas()
    {
        using var cancel = new CancellationTokenSource();
        long cancelAt = long.MaxValue;
        FailingVulkan? counted = null;
        using var driver = new FailingVulkan((name, _, _, _) =>
        {
            if (name == "vkQueueSubmit" && counted!.Submissions >= cancelAt) cancel.Cancel();   // set before the first
        });
        counted = driver;
        using TinyRun run = Run(driver, 1, "mamba-tied");
        using Session session = run.Model.StartSession();
        session.Feed(Prompt);
        long before = driver.Submissions;
        using (Session fork = session.Fork()) fork.Feed(Prompt);
        long all = driver.Submissions - before;

        before = driver.Submissions;
        cancelAt = before + 4;
        Assert.ThrowsAny<OperationCanceledException>(() => session.Feed(Prompt, cancel.Token));

        Assert.InRange(driver.Submissions - before, 4, all / 2);
        cancelAt = long.MaxValue;
        Assert.Equal(Prompt.Length, session.Position);
        using Session other = run.Model.StartSession();
        other.Feed(Prompt);
        Assert.Equal(other.Feed(Prompt).ToArray(), session.Feed(Prompt).ToArray());
    }

    [Fact]
    public void MostRows_LargestProducts_FitASubmission()
    {
        foreach (long rows in new[] { 1, 256, 2048, 65535 })
            foreach (long columns in new[] { 768, 5120, 16384 })
            {
                long most = Workload.MostRows(rows, columns, Workload.MostOfASubmission);
                Assert.InRange(rows * columns * most, 0, Workload.MostOfASubmission);
                Assert.True(most > 0);
            }
    }

    [MachineTheory(Needs.Vulkan)]
    [MemberData(nameof(Capabilities))]
    public void Feed_CapabilityLeftUnused_SaysTheSame(string unused)
    {
        var all = new VulkanSettings { IntegerDot = false };   // which would round activations to 8 bits: VulkanDotTests
        VulkanSettings settings = unused switch
        {
            "subgroups" => all with { Subgroups = false },
            "texels" => all with { Texels = false },
            "matrices" => all with { Matrices = false },
            "short shaders" => all with { Texels = false, LongShaders = true, Multiprocessors = 1 },
            "mapped memory" => all with { MappedMemory = false },
            _ => VulkanSettings.Plain,
        };
        foreach (string name in new[] { "mamba-untied-biases", "mamba2-g3" })
            foreach (string type in new[] { "F16", "Q8_0" })
            {
                float[][] logits = [.. new[] { all, settings }.Select(s =>
                {
                    using var run = new TinyRun(() => new VulkanBackend(VulkanLoader.Instance, 0, s), name, QuantTypes.ByName(type)!);
                    using Session session = run.Model.StartSession();
                    session.Feed(Prompt);
                    session.Feed([3]);
                    using Session moved = run.Model.StartSession();
                    moved.Restore(session.Save());
                    return moved.Feed([4]).ToArray();
                })];
                bool halves = !settings.Matrices && TestBackends.RoundsToHalves("vulkan");
                (halves ? new Tolerance(2e-3, "x rounded to 16 bits beside matrices: measured 1.6e-4") : new Tolerance(1e-4, "sums in another order")).Check($"{name}, {type}", logits[0], logits[1]);
            }
    }

    private static (float[] Logits, long Submissions) Feed(FailingVulkan driver, long mostWork, string name)
    {
        using TinyRun run = Run(driver, mostWork, name);
        using Session session = run.Model.StartSession();
        long before = driver.Submissions;
        return (session.Feed(Prompt).ToArray(), driver.Submissions - before);
    }

    /// <summary>Without matrices: a device that has them is given more at a time.</summary>
    private static TinyRun Run(FailingVulkan driver, long mostWork, string name) =>
        new(() => new VulkanBackend(driver.Instance, 0, new VulkanSettings { MostWork = mostWork, Matrices = false }), name, QuantTypes.F32);
}
