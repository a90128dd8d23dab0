using System.CommandLine;
using MambaRT.Backends.Auto;
using MambaRT.Bench;

namespace MambaRT.Cli;

/// <summary>Measures a model against what the machine can do, compares two such runs, or makes a model to measure with.</summary>
internal sealed class BenchCommand : Verb
{
    private readonly Option<string?> _model = OptionOf.Text("--model", ["-m"], "FILE", "The model, a .gguf file; without it the bundled one.");
    private readonly OverrideArguments _overrides = new();
    private readonly Option<int[]?> _threads = OptionOf.WholeList("--threads", ["-t"], "Threads of the CPU; 1 and one per core when not given.", 1, 1024, "1,2");
    private readonly Option<int[]?> _affinity = ModelArguments.Affinity("Cores that the CPU's threads are pinned to: the first N of them with N threads. Linux only.");
    private readonly Option<int[]?> _prompts = OptionOf.WholeList("--prompt", ["-p"], "Lengths of prompts; 128,512,2048 when not given.", 1, 1 << 20, "128,512,2048");
    private readonly Option<int[]?> _batches = OptionOf.WholeList("--batch", ["-b"], "Sequences decoded at once; 1,4,16 when not given.", 1, 4096, "1,4,16");
    private readonly Option<string?> _backends = OptionOf.Text("--backend", [], "cpu,cuda", "Where the model runs, one after the other: cpu, cuda, vulkan, reference, or one of their variants, as 'devices' lists them; cpu when not given.");
    private readonly Option<long?> _layers = ModelArguments.GpuLayers();
    private readonly Option<long?> _curve = OptionOf.Whole("--curve", [], "Also follow time and memory from token 1 to N.", 1, int.MaxValue, "100000");
    private readonly Option<float?> _budget = OptionOf.Number("--budget", [], "Seconds that one measurement may take; 15 when not given.", 0.01f, 86400, "15");
    private readonly Option<bool> _noCheck = OptionOf.Flag("--no-check", "Do not compare logits with the reference backend first.");
    private readonly Option<bool> _ops = OptionOf.Flag("--ops", "Also say what each kernel took, on a GPU.");
    private readonly Option<bool> _logits = OptionOf.Flag("--logits", "Decode with every row of logits brought to the host; without it the most likely token is picked where the model runs, as run and chat do.");
    private readonly Option<bool> _host = OptionOf.Flag("--host", "Measure a host of many conversations instead: beside a bare batch, with a history that is sent again, a long prompt, and steps for a time.");
    private readonly Option<long?> _frames = OptionOf.Whole("--frames", [], "Steps of 2 ms that --host takes; 10000 when not given.", 1, 1 << 24, "10000");
    private readonly Option<string?> _csv = OptionOf.Text("--csv", [], "FILE", "Also write the results as comma-separated values.");
    private readonly Option<string?> _md = OptionOf.Text("--md", [], "FILE", "Also write a Markdown page.");
    private readonly Option<string?> _html = OptionOf.Text("--html", [], "FILE", "Also write an HTML page with plots.");
    private readonly Option<string[]> _compare = new("--compare")
    {
        Description = "Compare two runs that --json wrote.", HelpName = "A.json B.json", Arity = new ArgumentArity(2, 2), AllowMultipleArgumentsPerToken = true,
    };
    private readonly Option<string?> _make = OptionOf.Choice("--make", [], "Make a model of this shape with random weights.", [.. ModelShape.All.Select(s => s.Name)]);
    private readonly Option<string?> _type = OptionOf.Choice("--type", [], "Storage type of --make.", ModelMaker.Types);
    private readonly Option<string?> _output = OptionOf.Text("--output", ["-o"], "FILE", "Where --make writes.");

    public BenchCommand(Terminal terminal, Option<bool> json)
        : base("bench", "Measures speed as a share of what the machine can do.", terminal, json)
    {
        foreach (Option option in new Option[] { _model, _threads, _affinity, _prompts, _batches, _backends, _layers, _curve, _budget, _noCheck, _ops, _logits, _host, _frames, _csv, _md, _html, _compare, _make, _type, _output })
            Options.Add(option);
        _overrides.AddTo(this);
    }

    public override string[] Examples =>
    [
        "mambart bench",
        "mambart bench -m model.gguf --threads 1,2 --prompt 512 --batch 1,4 --html report.html",
        "mambart bench --make mamba-130m --type Q8_0 -o mamba-130m-q8_0.gguf",
        "mambart bench --compare before.json after.json",
        "mambart bench --host -m model.gguf",
    ];

    protected override int Run(ParseResult arguments)
    {
        if (arguments.GetResult(_compare) is not null) return Compare(arguments);
        if (arguments.GetValue(_make) is string name) return Make(arguments, name);
        if (arguments.GetResult(_type) is not null || arguments.GetResult(_output) is not null)
            throw new UsageException("--type and -o belong to --make NAME; give all three, or none.");
        ModelFile file = ModelLocator.Find(arguments.GetValue(_model));
        var standard = new BenchOptions { Path = file.Path };
        int[]? threads = OptionOf.Given(arguments, _threads), cores = OptionOf.Given(arguments, _affinity);
        if (cores is not null && threads?.Max() > cores.Length)
            throw new UsageException($"--affinity gives {cores.Length} cores for {threads.Max()} threads; give as many cores as the most threads.");
        string[] backends = Backends(arguments.GetValue(_backends));
        if (arguments.GetResult(_layers) is not null && !backends.Any(BackendSelector.IsGpu))
            throw new UsageException("--gpu-layers is about a GPU, and --backend names none; give --backend cuda, or leave it out.");
        BenchOptions options = standard with
        {
            Model = new ModelOptions { Offset = file.Offset, Length = file.Length, Overrides = _overrides.Read(arguments) },
            Backends = backends,
            GpuLayers = (int?)arguments.GetValue(_layers),
            Threads = threads ?? standard.Threads,
            Cores = cores,
            Prompts = OptionOf.Given(arguments, _prompts) ?? standard.Prompts,
            Batches = OptionOf.Given(arguments, _batches) ?? standard.Batches,
            CurveTokens = (int)(arguments.GetValue(_curve) ?? 0),
            Budget = arguments.GetValue(_budget) is float seconds ? TimeSpan.FromSeconds(seconds) : standard.Budget,
            Ops = arguments.GetValue(_ops),
            Logits = arguments.GetValue(_logits),
            Check = !arguments.GetValue(_noCheck),
            Version = About.Version,
            CacheFolder = CacheFolder.Path,
            Progress = Terminal.Note,
        };
        if (arguments.GetValue(_host)) return Host(arguments, options);
        if (arguments.GetResult(_frames) is not null) throw new UsageException("--frames belongs to --host; give both, or leave it out.");
        string?[] files = [arguments.GetValue(_csv), arguments.GetValue(_md), arguments.GetValue(_html)];
        Outputs.Check(files, file.Parts());   // minutes of measuring come before the writing
        CancellationToken cancel = Terminal.Interrupt.Begin();
        RunRecord run = GenerateBench.Run(options, cancel);
        Outputs.Give(Terminal, () => Terminal.Out.Write(Json(arguments) ? JsonReport.Write(run) + "\n" : TextReport.Write(run)),
            (files[0], () => CsvReport.Write(run)), (files[1], () => MarkdownReport.Write(run)), (files[2], () => HtmlReport.Write(run)));
        foreach (string failure in run.Failures) Terminal.Error.WriteLine(failure);
        return run.Failures.Count == 0 ? Program.Ok : Program.BadInput;
    }

    private int Host(ParseResult arguments, BenchOptions options)
    {
        RequireOnly(arguments, _host, [_model, _threads, _affinity, _backends, _budget, _frames, _overrides.Option]);
        HostRecord run = HostBench.Run(options, (int)(arguments.GetValue(_frames) ?? 10_000), Terminal.Interrupt.Begin());
        Terminal.Out.Write(Json(arguments) ? HostReport.WriteJson(run) + "\n" : HostReport.Write(run));
        return Program.Ok;
    }

    /// <summary>Refuses what would be ignored: a report that was asked for and is not there would be missed too late.</summary>
    private void RequireOnly(ParseResult arguments, Option mode, params Option[] taken)
    {
        foreach (Option option in Options)
            if (option != mode && !taken.Contains(option) && arguments.GetResult(option) is { Implicit: false })
                throw new UsageException($"{option.Name} has no meaning with {mode.Name}; leave it out.");
    }

    private int Compare(ParseResult arguments)
    {
        RequireOnly(arguments, _compare);
        string[] paths = arguments.GetValue(_compare)!;   // given, with two values
        IReadOnlyList<ComparedResult> results = Comparison.Of(TextFile.Read(paths[0]), TextFile.Read(paths[1]), paths[0], paths[1]);
        if (!Json(arguments))
        {
            Terminal.Out.Write(Comparison.Write(results));
            return Program.Ok;
        }
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteStartArray("ratios");
        foreach (ComparedResult r in results)
        {
            json.Writer.WriteStartObject();
            json.Writer.WriteString("backend", r.Backend);
            json.Writer.WriteString("mode", r.Mode);
            json.Writer.WriteNumber("threads", r.Threads);
            json.Writer.WriteNumber("batch", r.Batch);
            if (r.Tokens > 0) json.Writer.WriteNumber("tokens", r.Tokens);
            json.Number("first", r.First);
            json.Number("second", r.Second);
            json.Number("ratio", Math.Round(r.Ratio, 4));
            json.Writer.WriteEndObject();
        }
        json.Writer.WriteEndArray();
        json.Writer.WriteEndObject();
        json.End();
        return Program.Ok;
    }

    private int Make(ParseResult arguments, string name)
    {
        RequireOnly(arguments, _make, _type, _output, _model);
        if (arguments.GetValue(_type) is not string type) throw new UsageException($"--make needs --type: {string.Join(", ", ModelMaker.Types)}.");
        if (arguments.GetValue(_output) is not string path) throw new UsageException("--make needs -o FILE, the .gguf file to write.");
        ModelShape shape = ModelShape.ByName(name)!;   // the option takes no other names
        Outputs.Check([path], (arguments.GetValue(_model) ?? ModelLocator.TryFindDefault()?.Path) is { } model ? [model] : []);   // bench's own model is not meant
        CancellationToken cancel = Terminal.Interrupt.Begin();
        Cli.Progress.Run(Terminal, $"{shape.Name} {type}", report => ModelMaker.Write(shape, type, path, report: report, cancel: cancel));
        long bytes = new FileInfo(path).Length;
        if (!Json(arguments))
        {
            Terminal.Note($"{path}: {Show.Count(shape.Parameters)} parameters, {Show.Bytes(bytes)}.");
            return Program.Ok;
        }
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("output", path);
        json.Writer.WriteNumber("parameters", shape.Parameters);
        json.Writer.WriteNumber("bytes", bytes);
        json.Writer.WriteEndObject();
        json.End();
        return Program.Ok;
    }

    private static string[] Backends(string? given)
    {
        if (given is null) return ["cpu"];
        string?[] names = [.. given.Split(',', StringSplitOptions.TrimEntries).Select(BackendSelector.Spell)];
        if (names.Length == 0 || names.Contains(null) || names.Contains("auto"))
            throw new UsageException($"--backend is '{Show.Text(given, 60)}'; give {BackendSelector.Choices}, separated by commas.");
        foreach (string name in names.OfType<string>()) BackendChoice.Require(name);   // before anything is measured
        return [.. names.OfType<string>()];
    }
}
