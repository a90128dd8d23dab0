using System.Diagnostics;
using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using MambaRT.Serving;

namespace MambaRT.Bench;

/// <summary>Measures what a <see cref="ModelHost"/> costs beside a bare batch, what kept states save, what a long prompt delays, and how well a step keeps its time.</summary>
public static class HostBench
{
    private const int Rounds = 3, HistoryTokens = 4000, TurnTokens = 32, LongPrompt = 8000, Characters = 8, CharacterTokens = 100;

    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(2);

    private static readonly GenerationOptions Endless = new() { IgnoreEos = true };

    /// <summary>Runs everything, on the first backend of the options with the most threads of them.</summary>
    /// <param name="options">The model, where it runs, and about how long one measurement may take.</param>
    /// <param name="frames">Steps for a time.</param>
    /// <param name="cancel">Looked at between steps.</param>
    /// <exception cref="FormatException">The model is damaged.</exception>
    /// <exception cref="NotSupportedException">The model has no vocabulary.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static HostRecord Run(BenchOptions options, int frames, CancellationToken cancel = default)
    {
        int threads = options.Threads.Count > 0 ? options.Threads.Max() : options.Cores?.Count ?? Environment.ProcessorCount;
        using IBackend backend = BackendSelector.Create(options.Backends[0], new CpuOptions { Threads = threads, Cores = options.Cores, MovesThreads = true }, options.CacheFolder);
        using GgufFile file = GgufFile.Open(options.Path, new GgufOpenOptions { Offset = options.Model.Offset, Length = options.Model.Length, Overrides = options.Model.Overrides });
        using Model plain = Model.Open(options.Path, backend, options.Model with { Checkpoints = null }, cancel);
        using Model keeping = Model.Open(options.Path, backend, options.Model with { Checkpoints = new CheckpointOptions() }, cancel);
        var decodes = new List<HostDecode>();
        foreach (int conversations in new[] { 8, 32 })
        {
            options.Progress($"host: {conversations} conversations");
            decodes.Add(Decode(backend, plain, file, conversations, options.Budget, cancel));
        }
        options.Progress($"host: a history of {HistoryTokens} tokens, sent again");
        HostFirstToken first = FirstToken(plain, keeping, options.Budget, cancel);
        options.Progress($"host: a prompt of {LongPrompt} tokens beside an answer");
        HostDelay delay = Delay(plain, cancel);
        options.Progress($"host: {frames} steps of {Frame.TotalMilliseconds} ms");
        ModelRecord model = new Workload(file, plain.Plan).Model;
        return new HostRecord(options.Version, $"{Probes.ProcessorName}, {threads} thread{(threads == 1 ? "" : "s")}", $"{model.Name}, {model.Type}", backend.Name, decodes, first, delay, Frames(plain, frames, cancel));
    }

    private static HostDecode Decode(IBackend backend, Model model, GgufFile file, int conversations, TimeSpan budget, CancellationToken cancel)
    {
        double[] batch = new double[Rounds], hosted = new double[Rounds];
        for (int round = 0; round < Rounds; round++)   // in turn, as a shared machine changes its speed
        {
            batch[round] = DecodeSpeed.TokensPerSecond(backend, model, file, budget / Rounds, conversations, cancel);
            hosted[round] = Hosted(model, conversations, budget / Rounds, cancel);
        }
        return new HostDecode(conversations, Median(batch), Median(hosted));
    }

    private static double Hosted(Model model, int conversations, TimeSpan budget, CancellationToken cancel)
    {
        using var host = new ModelHost(model, new ModelHostOptions { Manual = true, MaxSequences = conversations });
        Generation[] all = [.. Enumerable.Range(0, conversations).Select(i => host.Start(LogitsCheck.Stream(4, model.Plan.VocabularySize, i), Greedy(), Endless))];
        for (int i = 0; i < conversations + 2; i++) host.Step();
        int before = Generated(all);
        long began = Stopwatch.GetTimestamp();
        do
        {
            cancel.ThrowIfCancellationRequested();
            host.Step();
            foreach (Generation one in all) one.TryRead();
        }
        while (Stopwatch.GetElapsedTime(began) < budget);
        return (Generated(all) - before) / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static HostFirstToken FirstToken(Model plain, Model keeping, TimeSpan budget, CancellationToken cancel)
    {
        var cached = new List<double>();
        var uncached = new List<double>();
        int fed = 0;
        using var with = new ModelHost(keeping, new ModelHostOptions { Manual = true });
        using var without = new ModelHost(plain, new ModelHostOptions { Manual = true });
        long began = Stopwatch.GetTimestamp();
        for (int round = 0; round < Rounds && (round == 0 || Stopwatch.GetElapsedTime(began) < budget); round++)
        {
            int[] history = LogitsCheck.Stream(HistoryTokens, plain.Plan.VocabularySize, round);
            int[] again = [.. history, .. LogitsCheck.Stream(TurnTokens, plain.Plan.VocabularySize, round + 1)];
            Answer(with, history, cancel);
            GenerationStats stats = Answer(with, again, cancel);
            fed = stats.PromptTokens;
            cached.Add(stats.FirstToken.TotalMilliseconds);
            uncached.Add(Answer(without, again, cancel).FirstToken.TotalMilliseconds);
        }
        return new HostFirstToken(HistoryTokens, TurnTokens, fed, Median(cached), Median(uncached));
    }

    private static GenerationStats Answer(ModelHost host, int[] prompt, CancellationToken cancel)
    {
        Generation one = host.Start(prompt, Greedy(), Endless with { MaxTokens = 1 }, cancel);
        while (host.Step()) cancel.ThrowIfCancellationRequested();
        return one.Stats;
    }

    private static HostDelay Delay(Model model, CancellationToken cancel)
    {
        using var host = new ModelHost(model, new ModelHostOptions { Manual = true });
        Generation running = host.Start(LogitsCheck.Stream(4, model.Plan.VocabularySize, 1), Greedy(), Endless);
        double Step()
        {
            cancel.ThrowIfCancellationRequested();
            long began = Stopwatch.GetTimestamp();
            host.Step();
            double ms = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            running.TryRead();
            return ms;
        }

        for (int i = 0; i < 5; i++) Step();
        double[] alone = [.. Enumerable.Range(0, 50).Select(_ => Step())];
        Generation reading = host.Start(LogitsCheck.Stream(LongPrompt, model.Plan.VocabularySize, 2), Greedy(), Endless with { MaxTokens = 1 });
        var beside = new List<double>();
        while (!reading.Completion.IsCompleted) beside.Add(Step());
        return new HostDelay(LongPrompt, model.ChunkTokens, Median(alone), Median(beside), beside.Max());
    }

    private static HostFrames Frames(Model model, int count, CancellationToken cancel)
    {
        double[] bounds = [0, 0.05, 0.1, 0.2, 0.4, 1];
        int[] parts = new int[bounds.Length + 1], idleParts = new int[bounds.Length + 1];
        using var host = new ModelHost(model, new ModelHostOptions { Manual = true, MaxSequences = Characters });
        var talking = new Generation?[Characters];
        double longest = 0, idleLongest = 0;
        long generated = 0;
        for (int frame = 0; frame < count; frame++)
        {
            cancel.ThrowIfCancellationRequested();
            for (int i = 0; i < Characters; i++)   // as many begin as end, at other times each
            {
                if (talking[i] is { Completion.IsCompleted: false }) talking[i]?.TryRead();
                else talking[i] = host.Start(LogitsCheck.Stream(16 * (i + 1), model.Plan.VocabularySize, frame), Greedy(), Endless with { MaxTokens = CharacterTokens });
            }
            Rest(frame);
            long began = Stopwatch.GetTimestamp();
            generated += host.Step(Frame).GeneratedTokens;
            Note(began, parts, ref longest);
            began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began) < Frame) { }
            Note(began, idleParts, ref idleLongest);
        }
        return new HostFrames(count, Characters, Frame.TotalMilliseconds, generated / (count * Frame.TotalSeconds), bounds, parts, longest, idleParts, idleLongest);

        void Note(long began, int[] into, ref double most)
        {
            double over = (Stopwatch.GetElapsedTime(began) - Frame).TotalMilliseconds;
            most = Math.Max(most, over);
            int part = 0;
            while (part < bounds.Length && over > bounds[part]) part++;
            into[part]++;
        }
    }

    /// <summary>Linux stops a process of real time (chrt) for 50 ms of each second in which it never rests.</summary>
    private static void Rest(int frame)
    {
        if (frame % 2 == 0) Thread.Sleep(1);
    }

    private static SamplerChain Greedy() => new SamplingOptions { Temperature = 0 }.Build();

    private static int Generated(Generation[] all) => all.Sum(one => one.Stats.GeneratedTokens);

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
