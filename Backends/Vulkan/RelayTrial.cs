using System.Diagnostics;

namespace MambaRT.Backends.Vulkan;

/// <summary>Tries a step in one dispatch, in the scratch slot: nothing promises that workgroups are under way together, nor that it is the quicker way. A few milliseconds.</summary>
internal static class RelayTrial
{
    private const int Fewest = 16, Times = 4;

    // By the device's clock it has to gain little. By the host's it has to gain more: one run alone waits for the host, which readies many dispatches for longer
    // than one, and between tokens it does so beside the device.
    private const double Gain = 1.05, GainByHost = 1.2;

    // What an H100 and an H200 read in the 2.4 µs that a dispatch waits behind a barrier. Who reads more gains nothing by having no barriers: 2.8b went at 346 instead
    // of 402 tokens/s where a trial, of runs that had waited for the host, took its one dispatch for quicker.
    private const long ReadInABarrier = 5 << 20;

    /// <summary>With how many workgroups steps of a model are to go; 0: by several dispatches.</summary>
    /// <param name="model">The model.</param>
    /// <param name="relay">The step.</param>
    /// <param name="logits">Where its logits go.</param>
    /// <param name="several">The same by several dispatches, for a table.</param>
    public static int Groups(VulkanModel model, RelayStep relay, BufferSlice logits, Func<BufferSlice, IReadOnlyList<Dispatch>> several)
    {
        using var table = new BatchTable(new BatchShape(1, 1, 1), model.Device);
        if (model.Device.MayChooseRelay && model.Memory.Weights > several(table.Memory(0)).Count * ReadInABarrier) return 0;
        int groups = model.Device.RelayGroups;
        double gain = model.Device.Traits.HasClock ? Gain : GainByHost;
        while (groups > 0)
        {
            Dispatch step = relay.Dispatch(table.Memory(0), logits, 0, groups, isTrial: true);
            double milliseconds = 0;
            bool met = true;
            for (int times = 1; met && times <= Times; times += Times - 1)   // once to see, and then to time
            {
                milliseconds = Time(model, table, [step], times, relay);
                met = relay.HasMet(0);
            }
            relay.Forget(0);
            if (met && (!model.Device.MayChooseRelay || gain * milliseconds < Time(model, table, several(table.Memory(0)), Times))) return groups;
            groups = !met && groups > Fewest ? groups / 2 : 0;
        }
        return 0;
    }

    /// <summary>Notes what each of several dispatches takes, in the scratch slot.</summary>
    public static void AddTimes(VulkanModel model, Func<BufferSlice, IReadOnlyList<Dispatch>> several, KernelProfile profile)
    {
        using var table = new BatchTable(new BatchShape(1, 1, 1), model.Device);
        IReadOnlyList<Dispatch> dispatches = several(table.Memory(0));
        using var timer = new DispatchTimer(model.Device, dispatches.Count);
        Time(model, table, dispatches, times: 1, timer: timer);
        timer.AddTo(profile, model.Plan, " (were there no one dispatch)");
    }

    /// <summary>The shortest of a few times, by the device's clock where it has one.</summary>
    private static double Time(VulkanModel model, BatchTable table, IReadOnlyList<Dispatch> dispatches, int times, RelayStep? relay = null, DispatchTimer? timer = null)
    {
        using DispatchTimer? whole = model.Device.Traits.HasClock ? new DispatchTimer(model.Device, 1) : null;
        using var commands = new RecordedCommands(model.Device, model.Lane, model.Pipelines, dispatches, to => { table.Send(0, to); whole?.Begin(to, 1); }, to => whole?.End(to, dispatches[^1]), [], timer);
        double least = double.PositiveInfinity;
        for (int i = 0; i < times; i++)
        {
            table.Fill(0, new Batch { Tokens = [0], Sequences = [new SequenceSpan(0, 0, 0, 1, OutputRows.Last)] }, 1, model.PickLists.Tokens, relay?.NextPlace() ?? 0);
            long begun = Stopwatch.GetTimestamp(), sent = 0;
            foreach (Silk.NET.Vulkan.CommandBuffer part in commands.Parts) sent = model.Lane.Start(part, "a trial");
            model.Lane.WaitFor(sent, "a trial");
            if (relay?.HasMet(0) == true) relay.HasGone();
            least = Math.Min(least, whole?.Milliseconds() ?? Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
        return least;
    }
}
