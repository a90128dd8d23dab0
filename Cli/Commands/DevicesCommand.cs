using System.CommandLine;
using MambaRT.Backends.Auto;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Lists what models can run on, and what is taken where nothing is asked for.</summary>
internal sealed class DevicesCommand : Verb
{
    private readonly Option<string?> _model = OptionOf.Text("--model", ["-m"], "FILE", "Also say where this model, a .gguf file, runs without --backend.");

    public DevicesCommand(Terminal terminal, Option<bool> json) : base("devices", "Lists what models can run on, and what runs them without --backend.", terminal, json) =>
        Options.Add(_model);

    public override string[] Examples => ["mambart devices", "mambart devices -m model.gguf", "mambart devices --json"];

    protected override int Run(ParseResult arguments)
    {
        (string taken, string? because) = Automatic(arguments.GetValue(_model));
        var found = new List<(string Name, string Description)>();
        var missing = new List<(string Name, string Why)>();
        foreach (string name in BackendSelector.Names.SelectMany(WithVariants))
        {
            if (BackendSelector.WhyNot(name) is string why)
            {
                missing.Add((name, why));
                continue;
            }
            try
            {
                using IBackend backend = BackendSelector.Create(name);
                found.Add((name, backend.Description));
            }
            catch (Exception e) when (e is NotSupportedException or IOException)
            {
                missing.Add((name, Failure.Sentence(e)));   // a device that is there and fails
            }
        }
        if (Json(arguments)) WriteJson(found, missing, taken, because);
        else
        {
            foreach ((string name, string description) in found) Terminal.Out.WriteLine($"{name,-10} {description}");
            foreach ((string name, string why) in missing) Terminal.Out.WriteLine($"{name.ToUpperInvariant()}: {why}");
            Terminal.Out.WriteLine($"{"auto",-10} {taken}{(because is null ? "" : $": {because}")}");
        }
        return Program.Ok;
    }

    /// <summary>What "auto" takes, and why that where it is not the first choice or depends on a model.</summary>
    private static (string Taken, string? Because) Automatic(string? path)
    {
        const string Cpu = "cpu";
        if (path is null)
            return BackendSelector.FirstGpu is string gpu ? (gpu, $"for a model that has room there, else {Cpu}; 'devices -m FILE' says it of one") : (Cpu, BackendSelector.WhySoftwareIsLeft);
        using GgufFile file = ModelLocator.Named(path, "give -m the path of a .gguf file").Open();
        using IBackend chosen = BackendSelector.Choose(Model.PlanOf(file.Metadata, file), file, null, out string? whyNot);
        return (chosen.Name, whyNot ?? (chosen.Name == Cpu ? BackendSelector.WhySoftwareIsLeft : null));
    }

    /// <summary>The processor held to fewer instructions is a backend to compare with; of GPUs every one is listed.</summary>
    private static IEnumerable<string> WithVariants(string name) =>
        BackendSelector.HasThreads(name) ? BackendSelector.Variants.Where(BackendSelector.HasThreads).Prepend(name) : BackendSelector.DevicesOf(name);

    private void WriteJson(List<(string Name, string Description)> found, List<(string Name, string Why)> missing, string taken, string? because)
    {
        var output = new JsonOutput(Terminal.Out);
        output.Writer.WriteStartObject();
        Write("devices", "description", found);
        Write("missing", "reason", missing);
        output.Writer.WriteString("auto", taken);
        if (because is not null) output.Writer.WriteString("auto_reason", because);
        output.Writer.WriteEndObject();
        output.End();

        void Write(string list, string about, List<(string Name, string Text)> items)
        {
            output.Writer.WriteStartArray(list);
            foreach ((string name, string text) in items)
            {
                output.Writer.WriteStartObject();
                output.Writer.WriteString("name", name);
                output.Writer.WriteString(about, text);
                output.Writer.WriteEndObject();
            }
            output.Writer.WriteEndArray();
        }
    }
}
