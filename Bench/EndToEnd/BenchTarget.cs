using System.Diagnostics;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Vulkan;

namespace MambaRT.Bench;

/// <summary>A freshly opened model on one backend, and how its speed is measured.</summary>
internal sealed class BenchTarget(IBackend backend, Model model, int threads, double loadMs, MachineRecord machine, DeviceRecord? device, Workload work)
{
    private const int MinRepetitions = 5, MaxRepetitions = 25, WarmUpTokens = 16, MostBudgets = 3;

    /// <summary>Short measurements go on until this.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(1);

    /// <summary>What the kernels of the last measurement took, on backends that say.</summary>
    public IReadOnlyList<KernelTime> Kernels { get; private set; } = [];

    private string CodePath => backend is CpuBackend cpu ? cpu.InstructionSet : backend.Description;

    private int Vocabulary => model.Plan.VocabularySize;

    /// <summary>Milliseconds of the very first token: nothing is warm.</summary>
    public double FirstToken()
    {
        long began = Stopwatch.GetTimestamp();
        using Session session = model.StartSession();
        session.Feed([0]);
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    /// <summary>Times prompts from the zero state.</summary>
    public ResultRecord Prefill(int prompt, TimeSpan budget, CancellationToken cancel)
    {
        ProcessMemory.ResetPeak();
        using Session session = model.StartSession();
        void Feed(int count)
        {
            session.Reset();
            session.Feed(LogitsCheck.Stream(count, Vocabulary, 0));
        }

        int warmUp = Math.Min(WarmUpTokens, prompt);
        double first = Seconds(() => Feed(warmUp));
        // The first pass also touches scratch and weights for the first time, and a GPU's driver compiles; a slow backend does not get slower by that.
        double rate = warmUp / (first < MostBudgets * budget.TotalSeconds ? Seconds(() => Feed(warmUp)) : first);
        // Longer than three budgets: a shorter prompt says the same.
        int tokens = (int)Math.Clamp(rate * MostBudgets * budget.TotalSeconds, warmUp, prompt);
        if (tokens > warmUp && tokens < rate * budget.TotalSeconds) Feed(tokens);   // a GPU makes what larger batches take
        double[] seconds = Repeat(() => Feed(tokens), budget, cancel);
        double median = Median(seconds);

        TimeShares? shares = Shares(() => Feed(tokens));
        double productSeconds = (shares?.Linear ?? 1) * median;
        int runs = (tokens + model.ChunkTokens - 1) / model.ChunkTokens;
        double bytes = (double)runs * (work.WeightBytes + work.StateBytes);
        double gops = work.Operations(tokens, 1) / productSeconds / 1e9;
        double peak = device is not null ? gops / device.HalfGflops
            : machine.Int8Gops.TryGetValue(threads, out double int8) && machine.Fp32Gflops.TryGetValue(threads, out double fp32)
            ? work.SecondsAtPeak(tokens, 1, int8, fp32) / productSeconds : double.NaN;
        return new ResultRecord(backend.Name, CodePath, BenchMode.Prefill, threads, 1, tokens, seconds.Length, tokens / median, Spread(seconds),
            bytes / median / 1e9, gops, peak, shares, ProcessMemory.Peak, model.Memory.Total, loadMs, median * 1000);
    }

    /// <summary>Times decoding of several sequences at once: of tokens that are picked, greedily and never one that ends a text, or with all logits.</summary>
    public ResultRecord Decode(int batch, int tokens, bool logits, double firstTokenMs, TimeSpan budget, CancellationToken cancel)
    {
        ProcessMemory.ResetPeak();
        var sessions = new Session[batch];
        try
        {
            for (int i = 0; i < batch; i++) sessions[i] = model.StartSession();
            Action<int> Steps = logits ? FeedsLogits(sessions, tokens) : PicksTokens(sessions);
            Steps(1);
            double step = Seconds(() => Steps(1));
            int steps = (int)Math.Clamp(budget.TotalSeconds / MinRepetitions / step, 1, tokens);
            double[] seconds = Repeat(() => Steps(steps), budget, cancel);
            double median = Median(seconds);
            TimeShares? shares = Shares(() => Steps(backend is CpuBackend ? steps : 1));
            double gigabytes = (double)steps * (work.WeightBytes + (long)batch * work.StateBytes) / median / 1e9;
            double share = device is not null ? steps * (work.WeightBytes + 2.0 * batch * work.StateBytes) / median / 1e9 / device.ReadGBs
                : machine.ReadGBs.TryGetValue(threads, out double read) ? gigabytes / read : double.NaN;
            return new ResultRecord(backend.Name, CodePath, BenchMode.Decode, threads, batch, steps, seconds.Length, steps * batch / median, Spread(seconds),
                gigabytes, work.Operations((long)steps * batch, (long)steps * batch) / median / 1e9, share, shares, ProcessMemory.Peak, model.Memory.Total, loadMs, firstTokenMs);
        }
        finally
        {
            foreach (Session? session in sessions) session?.Dispose();
        }
    }

    private Action<int> FeedsLogits(Session[] sessions, int tokens)
    {
        int batch = sessions.Length;
        int[] ids = LogitsCheck.Stream(tokens * batch, Vocabulary, batch);
        return count =>
        {
            for (int i = 0; i < count; i++)
                if (batch == 1) sessions[0].Feed(ids.AsSpan(i, 1));
                else model.FeedBatch(sessions, ids.AsSpan(i * batch, batch));
        };
    }

    private Action<int> PicksTokens(Session[] sessions)
    {
        int[] ids = LogitsCheck.Stream(sessions.Length, Vocabulary, sessions.Length);
        TokenPick[] picks = [.. sessions.Select(_ => new TokenPick(0, NoEnds: true))];
        var steps = new PickedSteps(sessions[0]);
        steps.Begin(picks[0]);
        return count =>
        {
            for (int i = 0; i < count; i++)
                if (sessions.Length == 1) ids[0] = steps.Next(ids[0], goesOn: i + 1 < count);
                else model.PickBatch(sessions, ids, picks, ids);
        };
    }

    private static double[] Repeat(Action work, TimeSpan budget, CancellationToken cancel)
    {
        var seconds = new List<double>();
        var clock = Stopwatch.StartNew();
        while (seconds.Count == 0 || (clock.Elapsed < budget && (seconds.Count < MinRepetitions || (clock.Elapsed < Least && seconds.Count < MaxRepetitions))))
        {
            cancel.ThrowIfCancellationRequested();
            seconds.Add(Seconds(work));
        }
        return [.. seconds];
    }

    private static double Seconds(Action work)
    {
        long began = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>Where the time of one more repetition goes, by kind of op; null where the backend does not say.</summary>
    private TimeShares? Shares(Action work) => backend switch
    {
        CpuBackend cpu => Shares(Profiled(cpu, work)),
        CudaBackend cuda => Shares(Profiled(profile => cuda.Profile = profile, work)),
        VulkanBackend { HasClock: true } vulkan => Shares(Profiled(profile => vulkan.Profile = profile, work)),
        _ => null,
    };

    private static CpuProfile Profiled(CpuBackend cpu, Action work)
    {
        var profile = new CpuProfile();
        cpu.Profile = profile;
        try
        {
            work();
        }
        finally
        {
            cpu.Profile = null;
        }
        return profile;
    }

    private KernelProfile Profiled(Action<KernelProfile?> set, Action work)
    {
        var profile = new KernelProfile();
        set(profile);
        try
        {
            work();
        }
        finally
        {
            set(null);
        }
        Kernels = profile.Kernels;
        return profile;
    }

    private static TimeShares Shares(CpuProfile p) => new(p.Linear / p.Total, p.Conv / p.Total, p.Scan / p.Total, p.Norm / p.Total, p.Other / p.Total);

    private static TimeShares Shares(KernelProfile p)
    {
        double total = p.Of(_ => true), linear = p.Of(op => op is LinearOp), conv = p.Of(op => op is CausalConvOp);
        double scan = p.Of(op => op is SelectiveScanOp or SsdScanOp), norm = p.Of(op => op is RmsNormOp or GatedRmsNormOp);
        return new TimeShares(linear / total, conv / total, scan / total, norm / total, (total - linear - conv - scan - norm) / total);
    }

    private static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static double Spread(double[] seconds) => (1 / seconds.Min() - 1 / seconds.Max()) * Median(seconds);
}
