using System.CommandLine;
using MambaRT.Bench;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Measures what models lose against a base: quantized files, or the base with one tensor at a time stored otherwise.</summary>
internal sealed class CompareCommand : Verb
{
    /// <summary>Models that run beside the base at once, so that the base runs once for all of them.</summary>
    private const int MaxSideBySide = 4;

    /// <summary>Files that run at once are not larger than this together: what is read of them should stay in memory between windows.</summary>
    private const long MaxBytesSideBySide = 2L << 30;

    private static readonly TimeSpan SpeedBudget = TimeSpan.FromSeconds(5);

    private readonly Argument<string> _base = new("BASE") { Description = "The model the others are held to, a .gguf file: F16 or better." };
    private readonly Argument<string[]> _models = new("MODEL") { Description = "Models of the same vocabulary.", Arity = ArgumentArity.ZeroOrMore };
    private readonly ScoredText _text = new();
    private readonly ModelArguments _backend = new();
    private readonly Option<string?> _perTensor = OptionOf.Choice("--per-tensor", [], "Also the base with each projection and the embedding, and each kind of them in all layers, stored as this type.",
        [.. QuantTypes.All.Select(type => type.Name)]);
    private readonly Option<bool> _speed = OptionOf.Flag("--speed", "Also tokens a second of decoding, about 5 seconds a file.");
    private readonly Option<string?> _md = OptionOf.Text("--md", [], "FILE", "Also write the tables as Markdown.");
    private readonly Option<string?> _html = OptionOf.Text("--html", [], "FILE", "Also write an HTML page with plots.");

    public CompareCommand(Terminal terminal, Option<bool> json)
        : base("compare", "Measures what models lose against a base: perplexity, and how far their predictions are from its own.", terminal, json)
    {
        Arguments.Add(_base);
        Arguments.Add(_models);
        _text.AddTo(this);
        _backend.AddBackendTo(this);
        foreach (Option option in new Option[] { _perTensor, _speed, _md, _html }) Options.Add(option);
    }

    public override string[] Examples =>
    [
        "mambart compare model-f16.gguf model-q8_0.gguf model-q4_k_m.gguf -f text.txt",
        "mambart compare model-f16.gguf model-q4_k_m.gguf -f text.txt --limit 20000 --speed --html loss.html",
        "mambart compare model-f16.gguf -f text.txt --per-tensor Q8_0",
    ];

    protected override int Run(ParseResult arguments)
    {
        QuantType? type = arguments.GetValue(_perTensor) is string name ? QuantTypes.ByName(name) : null;
        string[] paths = arguments.GetValue(_models) ?? [];
        if (paths.Length == 0 && type is null) throw new UsageException("There is no model to compare with the base; name some, or give --per-tensor TYPE.");
        type?.EnsureWritable();
        string?[] outputs = [arguments.GetValue(_md), arguments.GetValue(_html)];
        string text = _text.Load(arguments, Terminal);
        MetadataOverrides overrides = _backend.Overrides(arguments);
        FileComparand basis = FileComparand.Of(arguments.GetValue(_base)!, overrides);   // required
        FileComparand[] files = [.. paths.Select(path => FileComparand.Of(path, overrides))];
        Outputs.Check(outputs, [_text.Path(arguments), .. basis.Files, .. files.SelectMany(file => file.Files)]);

        CancellationToken cancel = Terminal.Interrupt.Begin();
        using BackendChoice choice = _backend.Choice(arguments);
        using GgufFile weights = basis.OpenFile();
        try
        {
            Model model = basis.Open(choice, cancel);
            if (choice.Note is { } note) Terminal.Note(note);
            TextTokens.NoteDoubts(model.Metadata, Terminal);   // its tokens are those of all
            TokenWindows windows = _text.Cut(arguments, text, model.Tokenizer);
            List<VariantComparand> variants = type is null ? [] : Variants(weights, model.Plan, type);
            Terminal.Note($"{Show.Count(windows.TextLength)} tokens, {Show.Count(windows.Count)} windows of {Show.Count(windows.Length)}, {files.Length + variants.Count} models and variants.");
            QualityModel[] results = Score(model, basis, [.. files, .. variants], windows, choice, arguments.GetValue(_speed), cancel);
            var record = new QualityRecord(About.Version, choice.Backend.Description, _text.Name(arguments), windows, results[0],
                results[1..(files.Length + 1)], results[(files.Length + 1)..], type?.Name ?? "");
            Outputs.Give(Terminal, () => Write(record, Json(arguments)), (outputs[0], () => QualityMarkdown.Write(record)), (outputs[1], () => QualityHtml.Write(record)));
        }
        finally
        {
            basis.Close();
        }
        return Program.Ok;
    }

    private List<VariantComparand> Variants(GgufFile weights, Plan plan, QuantType type)
    {
        var skipped = new List<string>();
        List<VariantComparand> variants = VariantComparand.Of(weights, plan, type, skipped);
        if (skipped.Count > 0) Terminal.Note($"Left out, as their rows are not whole blocks of {type}: {string.Join(", ", skipped)}.");
        return variants.Count > 0 ? variants
            : throw new FormatException($"No tensor of '{weights.Path}' has rows of whole blocks of {type}, {type.BlockLength} values; choose another type.");
    }

    /// <summary>Runs the base with some of the others at a time; the base comes first in the result.</summary>
    private QualityModel[] Score(Model model, FileComparand basis, Comparand[] others, TokenWindows windows, BackendChoice choice, bool speed, CancellationToken cancel)
    {
        var results = new QualityModel[others.Length + 1];
        Progress.Run(Terminal, "Comparing", report =>
        {
            for (int done = 0, count; done < others.Length; done += count)
            {
                count = SideBySide(others.AsSpan(done));
                Comparand[] group = others[done..(done + count)];
                try
                {
                    var models = new List<Model> { model };
                    foreach (Comparand other in group) models.Add(EnsureComparable(model, other.Open(choice, cancel)));
                    var comparison = new ModelComparison(count);
                    int before = done;
                    WindowedScoring.Run(models, windows, comparison.Add, share => report((before + share * group.Length) / others.Length), cancel);
                    if (done == 0) results[0] = Result(basis, comparison.Base, null, model);
                    for (int i = 0; i < count; i++) results[1 + done + i] = Result(group[i], comparison.Models[i].Loss, comparison.Models[i], models[i + 1]);
                }
                finally
                {
                    foreach (Comparand other in group) other.Close();
                }
            }
        });
        return results;

        QualityModel Result(Comparand of, TextLoss loss, Divergence? divergence, Model opened)
        {
            double rate = double.NaN;
            if (speed && of is FileComparand file)
            {
                using GgufFile header = file.OpenFile();
                rate = DecodeSpeed.TokensPerSecond(choice.Backend, opened, header, SpeedBudget, cancel: cancel);
            }
            return new QualityModel(of.Name, of.Bytes, of.BitsPerWeight, loss, divergence, rate);
        }
    }

    /// <summary>How many of the next models run at once: at least one.</summary>
    private static int SideBySide(ReadOnlySpan<Comparand> next)
    {
        int count = 0;
        for (long bytes = 0; count < Math.Min(next.Length, MaxSideBySide); count++)
        {
            bytes += next[count].Bytes;
            if (count > 0 && bytes > MaxBytesSideBySide) break;
        }
        return count;
    }

    /// <exception cref="FormatException">The vocabularies differ: the same number stands for another token.</exception>
    private static Model EnsureComparable(Model basis, Model model)
    {
        const string Key = "tokenizer.ggml.tokens", Advice = "only models of one vocabulary can be compared";
        if (model.Plan.VocabularySize != basis.Plan.VocabularySize)
            throw new FormatException($"'{model.Metadata.Subject}' knows {Show.Count(model.Plan.VocabularySize)} tokens and '{basis.Metadata.Subject}' {Show.Count(basis.Plan.VocabularySize)}; {Advice}.");
        if (basis.Metadata.TryGetStrings(Key) is not { } expected || model.Metadata.TryGetStrings(Key) is not { } found) return model;
        int same = expected.AsSpan().CommonPrefixLength(found);
        return same == expected.Length && same == found.Length ? model
            : throw new FormatException($"Token {same} of '{model.Metadata.Subject}' is not that of '{basis.Metadata.Subject}'; {Advice}.");
    }

    private void Write(QualityRecord record, bool asJson)
    {
        if (asJson)
        {
            CompareJson.Write(Terminal.Out, record);
            return;
        }
        foreach (string line in QualityTable.Summary(record)) Terminal.Note(line);
        foreach (QualityTable table in QualityTable.Of(record)) Listing.Write(Terminal, table.Title, table.Headers, table.Rows);
    }
}
