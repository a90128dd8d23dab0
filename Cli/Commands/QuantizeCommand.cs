using System.CommandLine;
using System.Diagnostics;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Stores a model's weights in fewer bits.</summary>
internal sealed class QuantizeCommand : Verb
{
    private readonly Argument<string[]> _names = new("IN OUT TYPE")
    {
        Description = $"The model, the file to write (not needed with --dry-run), and the type: {string.Join(", ", QuantTarget.All.Select(t => t.Name))}.",
        Arity = new ArgumentArity(2, 3),
    };

    private readonly Option<string?> _policy = StorageChoice.Policy();
    private readonly Option<string[]> _overrides = OptionOf.Texts("--override", ["--tensor-type"], "PATTERN=TYPE", "A type for all tensors with this in their names, where * stands for any text; may be given several times, the last that matches holds.");
    private readonly Option<string?> _importance = OptionOf.Text("--imatrix", [], "FILE", "Which columns matter, as 'mambart imatrix' or llama.cpp writes it.");
    private readonly OverrideArguments _metadata = new();
    private readonly Option<bool> _again = OptionOf.Flag("--allow-requantize", "Also quantizes weights that are quantized already, which adds the errors up.");
    private readonly Option<bool> _dryRun = OptionOf.Flag("--dry-run", "Lists what would be written, and writes nothing.");
    private readonly Option<long?> _threads = OptionOf.Whole("--threads", ["-t"], "Threads of the CPU; 0 for one per core.", 0, 1024, "4");

    public QuantizeCommand(Terminal terminal, Option<bool> json) : base("quantize", "Stores a model's weights in fewer bits.", terminal, json)
    {
        Arguments.Add(_names);
        foreach (Option option in (Option[])[_policy, _overrides, _importance, _again, _dryRun, _threads]) Options.Add(option);
        _metadata.AddTo(this);
    }

    public override string[] Examples =>
    [
        "mambart quantize model-f16.gguf model-q4.gguf Q4_K_M",
        "mambart quantize model-f16.gguf model-q3.gguf Q3_K_M --imatrix model.imatrix.gguf --override ssm_out=Q4_K",
        "mambart quantize model-f16.gguf Q4_K_M --policy llama --dry-run",
    ];

    protected override int Run(ParseResult arguments)
    {
        string[] names = arguments.GetValue(_names)!;   // two or three
        bool dryRun = arguments.GetValue(_dryRun);
        if (names.Length == 2 && !dryRun) throw new UsageException("There is no name for the output; give IN OUT TYPE, or --dry-run to write nothing.");
        QuantizationOptions options = ReadOptions(arguments, names[^1]);
        ModelFile input = ModelLocator.Find(names[0]);
        using GgufFile file = input.Open(_metadata.Read(arguments));
        if (!dryRun) Outputs.Check([names[1]], [.. file.PartPaths, options.Importance?.Subject]);
        QuantizationPlan plan = Quantizer.Plan(file, options);
        TextTokens.NoteDoubts(file.Metadata, Terminal);
        StorageChoice.NoteOtherwise(Terminal, plan.StoredOtherwise);
        if (options.Importance is { } matrix)
        {
            StorageChoice.NoteWithout(Terminal, matrix.Subject, plan.Without(matrix));
            StorageChoice.NoteUnused(Terminal, matrix.Subject, plan.Unused(matrix));
        }
        var clock = Stopwatch.StartNew();
        if (!dryRun)
        {
            CancellationToken cancel = Terminal.Interrupt.Begin();
            Progress.Run(Terminal, "Quantizing", report => Quantizer.Write(file, plan, names[1], options, report, cancel));
        }
        if (Json(arguments)) WriteJson(plan, options, dryRun ? null : names[1]);
        else if (dryRun) WriteTable(plan);
        else Terminal.Note($"Wrote {names[1]}: {options.Target}, {plan.Tensors.Count} tensors, {Show.Bytes(new FileInfo(names[1]).Length)}, {Show.Fixed(plan.BitsPerWeight, 2)} bits per weight, in {Show.Fixed(clock.Elapsed.TotalSeconds, 1)} s.");
        return Program.Ok;
    }

    private QuantizationOptions ReadOptions(ParseResult arguments, string target) => new()
    {
        Target = QuantTarget.ByName(target) ?? throw new UsageException($"'{Show.Text(target, 60)}' is not a type to quantize to; choose {string.Join(", ", QuantTarget.All)}."),
        Policy = StorageChoice.Of(arguments.GetValue(_policy)),
        Overrides = [.. (arguments.GetValue(_overrides) ?? []).Select(ReadOverride)],
        Importance = arguments.GetValue(_importance) is { } path ? ImportanceMatrix.Read(path) : null,
        AllowRequantize = arguments.GetValue(_again),
        Threads = (int)(arguments.GetValue(_threads) ?? 0),
    };

    private static QuantOverride ReadOverride(string text)
    {
        int equals = text.LastIndexOf('=');
        QuantType? type = equals > 0 ? QuantTypes.ByName(text[(equals + 1)..]) : null;
        return type is { CanEncode: true } ? new QuantOverride(text[..equals], type)
            : throw new UsageException($"--override is '{Show.Text(text, 60)}'; it needs PATTERN=TYPE such as ssm_out=Q6_K, with one of the types {string.Join(", ", QuantTypes.All.Where(t => t.CanEncode))}.");
    }

    private void WriteTable(QuantizationPlan plan)
    {
        Listing.Write(Terminal, "Tensors", ["name", "shape", "now", "then", "bytes"], [.. plan.Tensors.Select(tensor =>
            new[] { tensor.Source.Name, string.Join(" x ", tensor.Source.Dimensions), tensor.Source.Type.Name, tensor.Stored.Name, Show.Count(tensor.Bytes) })]);
        Terminal.Out.WriteLine();
        Terminal.Out.WriteLine($"{Show.Count(plan.Values)} values in {Show.Count(plan.Bytes)} bytes ({Show.Bytes(plan.Bytes)}), {Show.Fixed(plan.BitsPerWeight, 3)} bits per weight");
    }

    private void WriteJson(QuantizationPlan plan, QuantizationOptions options, string? output)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        if (output is not null) json.Writer.WriteString("output", output);
        json.Writer.WriteString("type", options.Target.Name);
        json.Writer.WriteString("policy", StorageChoice.NameOf(options.Policy));
        json.Writer.WriteNumber("values", plan.Values);
        json.Writer.WriteNumber("tensor_bytes", plan.Bytes);
        json.Number("bits_per_weight", plan.BitsPerWeight);
        json.Writer.WriteStartArray("tensors");
        foreach (PlannedTensor tensor in plan.Tensors)
        {
            json.Writer.WriteStartObject();
            json.Writer.WriteString("name", tensor.Source.Name);
            json.Writer.WriteStartArray("shape");
            foreach (long size in tensor.Source.Dimensions) json.Writer.WriteNumberValue(size);
            json.Writer.WriteEndArray();
            json.Writer.WriteString("now", tensor.Source.Type.Name);
            json.Writer.WriteString("asked", tensor.Asked.Name);
            json.Writer.WriteString("stored", tensor.Stored.Name);
            json.Writer.WriteNumber("bytes", tensor.Bytes);
            json.Writer.WriteEndObject();
        }
        json.Writer.WriteEndArray();
        json.Writer.WriteEndObject();
        json.End();
    }
}
