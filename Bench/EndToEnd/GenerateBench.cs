using System.Diagnostics;
using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>Checks a model's logits, then times prompts and decoding on every backend asked for.</summary>
public static class GenerateBench
{
    private const string Reference = "reference";

    /// <summary>Shorter prompts than this may be slower a token than decode: there is too little to share.</summary>
    private const int PromptToCompare = 32;

    /// <summary>Runs everything.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="cancel">Looked at between repetitions, and within the check.</param>
    /// <returns>The record; its failures are empty when all is well. Nothing is timed when a check fails.</returns>
    /// <exception cref="FormatException">The model is damaged.</exception>
    /// <exception cref="ArgumentException">There are fewer cores than threads, or the threads cannot be pinned to them.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static RunRecord Run(BenchOptions options, CancellationToken cancel = default)
    {
        int[] threads = [.. (options.Threads.Count > 0 ? options.Threads : [1, options.Cores?.Count ?? Environment.ProcessorCount]).Distinct().Order()];
        (string Name, int Threads)[] targets = [.. options.Backends.Distinct().SelectMany(b => BackendSelector.HasThreads(b) || IsSplit(b, options) ? threads.Select(t => (b, t)) : [(b, 1)])];
        using GgufFile file = GgufFile.Open(options.Path, new GgufOpenOptions { Offset = options.Model.Offset, Length = options.Model.Length, Overrides = options.Model.Overrides });
        Plan plan = Model.PlanOf(file.Metadata, file);
        List<CheckRecord> checks = options.Check ? Check(options, file, plan, targets, cancel) : [];
        List<string> failures = [.. checks.Where(c => !c.Passed).Select(c =>
            $"{c.Backend} with {c.Threads} thread(s) differs from reference: NMSE {c.Nmse:g3} over {c.Tokens} tokens, {c.Bound:g3} is allowed; nothing was timed.")];

        // The processor's ceilings say nothing about a GPU.
        var none = new Dictionary<int, double>();
        var unmeasured = new MachineRecord(Probes.ProcessorName, Probes.InstructionSets, Environment.ProcessorCount, none, none, none, []);
        MachineRecord machine = failures.Count > 0 || targets.All(t => BackendSelector.IsGpu(t.Name)) ? unmeasured
            : Roofline.Measure(threads, TimeSpan.FromSeconds(0.6), options.Progress, cancel);
        var devices = new List<DeviceRecord>();
        var results = new List<ResultRecord>();
        CurveRecord? curve = null;
        (string, int) longRun = targets.Last(t => t.Name == targets[0].Name);   // the first backend, with the most threads
        Workload? work = null;
        int chunk = 0;
        foreach ((string name, int count) in targets)
        {
            using IBackend backend = Create(name, count, plan, options);
            long began = Stopwatch.GetTimestamp();
            using Model model = Model.Open(options.Path, backend, options.Model, cancel);
            double loadMs = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            work ??= new Workload(file, model.Plan);
            if (chunk == 0) chunk = model.ChunkTokens;
            if (failures.Count > 0) break;
            DeviceRecord? device = backend is CudaBackend cuda ? Measure(cuda, options) : null;
            if (device is not null) devices.Add(device);
            var target = new BenchTarget(backend, model, count, loadMs, BackendSelector.IsGpu(name) ? unmeasured : machine, device, work);
            results.AddRange(Time(target, options, cancel));
            if (options.CurveTokens > 0 && (name, count) == longRun) curve = CurveBench.Run(model, count, options, cancel);
        }
        failures.AddRange(SlowPrompts(results));
        var settings = new SettingsRecord(options.Budget.TotalSeconds, chunk, options.Cores);
        return new RunRecord(options.Version, settings, machine with { Devices = devices }, work!.Model, checks, results, curve, failures);   // there is at least one target
    }

    private static DeviceRecord Measure(CudaBackend backend, BenchOptions options)
    {
        CudaPeaks peaks = backend.MeasurePeaks();
        var device = new DeviceRecord(backend.Name, backend.Device.Name, peaks.ReadBytes / 1e9, peaks.HalfOperations / 1e9);
        options.Progress(MarkdownReport.DeviceLine(device));
        return device;
    }

    private static IBackend Create(string name, int threads, Plan plan, BenchOptions options)
    {
        var cpu = new CpuOptions { Threads = threads, Cores = BackendSelector.HasThreads(name) || IsSplit(name, options) ? options.Cores?.Take(threads).ToArray() : null, MovesThreads = true };
        return IsSplit(name, options) ? BackendSelector.CreateSplit(name, options.GpuLayers!.Value, plan, cpu, options.CacheFolder) : BackendSelector.Create(name, cpu, options.CacheFolder);   // given where it is split
    }

    /// <summary>Whether a backend runs some layers alone, beside the CPU.</summary>
    private static bool IsSplit(string name, BenchOptions options) => options.GpuLayers is not null && BackendSelector.IsGpu(name);

    private static List<CheckRecord> Check(BenchOptions options, GgufFile file, Plan plan, (string Name, int Threads)[] targets, CancellationToken cancel)
    {
        var checks = new List<CheckRecord>();
        if (targets.All(t => t.Name == Reference)) return checks;
        options.Progress($"check: {LogitsCheck.Tokens} tokens on {Reference}");
        ModelOptions small = options.Model with { ChunkTokens = LogitsCheck.Tokens };
        float[] expected;
        double bound;
        using (IBackend backend = BackendSelector.Create(Reference))
        using (Model model = Model.Open(options.Path, backend, small))
        {
            expected = LogitsCheck.Logits(model, cancel);
            bound = LogitsCheck.Bound(model.Plan, file);
        }
        foreach ((string name, int threads) in targets)
        {
            cancel.ThrowIfCancellationRequested();
            if (name == Reference) continue;
            using IBackend backend = Create(name, threads, plan, options);
            using Model model = Model.Open(options.Path, backend, small, cancel);
            var check = new CheckRecord(name, threads, LogitsCheck.Tokens, LogitsCheck.Nmse(LogitsCheck.Logits(model, cancel), expected), bound);
            options.Progress($"check: {name}, {threads} thread(s): NMSE {check.Nmse:g3}, {bound:g3} allowed, {(check.Passed ? "passed" : "failed")}");
            checks.Add(check);
        }
        return checks;
    }

    private static IEnumerable<ResultRecord> Time(BenchTarget target, BenchOptions options, CancellationToken cancel)
    {
        double firstMs = target.FirstToken();
        foreach (int prompt in options.Prompts.Distinct().Order())
        {
            ResultRecord result = Report(options, target, target.Prefill(prompt, options.Budget, cancel));
            yield return result;
            if (result.Tokens < prompt) break;   // cut to what the budget allows; longer prompts would be cut to the same
        }
        foreach (int batch in options.Batches) yield return Report(options, target, target.Decode(batch, options.DecodeTokens, options.Logits, firstMs, options.Budget, cancel));
    }

    private static ResultRecord Report(BenchOptions options, BenchTarget target, ResultRecord r)
    {
        options.Progress($"{r.Backend}, {r.Threads} thread(s), {(r.Mode == BenchMode.Prefill ? $"prefill {r.Tokens}" : $"decode of {r.Batch}")}: "
            + $"{Text.Rate(r.TokensPerSecond)} tokens/s, {Text.Percent(r.ShareOfPeak)} of peak");
        if (!options.Ops) return r;
        double all = target.Kernels.Sum(k => k.Milliseconds);
        foreach (KernelTime k in target.Kernels)
            options.Progress(FormattableString.Invariant($"  {k.Milliseconds * 1000,10:f0} µs {k.Milliseconds / all,6:p1} {k.Launches,6} × {k.Milliseconds * 1000 / k.Launches,8:f1} µs  {k.Name}"));
        return r;
    }

    /// <summary>A prompt is read faster than decoded, or something is wrong.</summary>
    internal static IEnumerable<string> SlowPrompts(IReadOnlyList<ResultRecord> results)
    {
        foreach (ResultRecord decode in results)
        {
            if (!BackendSelector.HasThreads(decode.Backend) || decode.Mode != BenchMode.Decode || decode.Batch != 1) continue;
            foreach (ResultRecord prompt in results)
                if (prompt.Backend == decode.Backend && prompt.Mode == BenchMode.Prefill && prompt.Threads == decode.Threads && prompt.Tokens >= PromptToCompare
                    && prompt.TokensPerSecond < decode.TokensPerSecond)
                    yield return $"cpu with {decode.Threads} thread(s) reads a prompt of {prompt.Tokens} at {Text.Rate(prompt.TokensPerSecond)} tokens/s and decodes at {Text.Rate(decode.TokensPerSecond)}; prefill must be the faster one.";
        }
    }
}
