using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using MambaRT.Bench;
using MambaRT.Bench.Kernels;
using Perfolizer.Horology;

// The ceilings come first: what is timed is compared with them. Options are BenchmarkDotNet's, such as --filter '*linear Q8_0*' or --list flat.
MachineRecord machine = Roofline.Measure(OpBench.ThreadCounts, TimeSpan.FromSeconds(0.6), Console.Error.WriteLine);

// In this process, as operations of microseconds are timed thousands at a time; a new build of every case would bring nothing.
Job job = Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(7).WithIterationTime(TimeInterval.FromMilliseconds(100));
IConfig config = ManualConfig.CreateEmpty()
    .AddJob(job)
    .WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(60))
    .AddLogger(ConsoleLogger.Default)
    .AddColumnProvider(DefaultColumnProviders.Params)
    .AddColumn(StatisticColumn.Median, StatisticColumn.StdDev)
    .AddColumn(new CostColumn("GB/s", "Weights, state, inputs and outputs, each once, in 10^9 bytes a second", (cost, seconds, _) => cost.Bytes / seconds / 1e9, "0.0"))
    .AddColumn(new CostColumn("GOP/s", "Operations, two a multiply-add, in 10^9 a second", (cost, seconds, _) => cost.Operations / seconds / 1e9, "0.0"))
    .AddColumn(new CostColumn("of peak", "Time at the measured peak (the larger of reading at the machine's bandwidth and computing at its int8 or fp32 peak) by time taken",
        (cost, seconds, threads) => cost.SecondsAtPeak(machine, threads) / seconds, "0 %"))
    .AddExporter(BenchmarkDotNet.Exporters.MarkdownExporter.GitHub)
    .AddExporter(BenchmarkDotNet.Exporters.Csv.CsvExporter.Default);
BenchmarkSwitcher.FromTypes([typeof(OpBench)]).Run(args.Length == 0 ? ["--filter", "*"] : args, config);
