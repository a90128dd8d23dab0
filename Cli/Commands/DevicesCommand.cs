using System.CommandLine;
using MambaRT.Backends.Auto;

namespace MambaRT.Cli;

/// <summary>Lists what models can run on.</summary>
internal sealed class DevicesCommand(Terminal terminal, Option<bool> json) : Verb("devices", "Lists what models can run on, best first.", terminal, json)
{
    public override string[] Examples => ["mambart devices", "mambart devices --json"];

    protected override int Run(ParseResult arguments)
    {
        var found = new List<(string Name, string Description)>();
        var missing = new List<string>();
        foreach (string name in BackendSelector.Names.SelectMany(WithVariants))
        {
            if (BackendSelector.WhyNot(name) is string why)
            {
                missing.Add($"{name.ToUpperInvariant()}: {why}");
                continue;
            }
            try
            {
                using IBackend backend = BackendSelector.Create(name);
                found.Add((name, backend.Description));
            }
            catch (Exception e) when (e is NotSupportedException or IOException)
            {
                missing.Add($"{name.ToUpperInvariant()}: {Failure.Sentence(e)}");   // a device that is there and fails
            }
        }
        if (Json(arguments)) WriteJson(found);
        else
        {
            foreach ((string name, string description) in found) Terminal.Out.WriteLine($"{name,-10} {description}");
            foreach (string line in missing) Terminal.Out.WriteLine(line);
        }
        return Program.Ok;
    }

    /// <summary>The processor held to fewer instructions is a backend to compare with; a second GPU or an older one is named where it is wanted.</summary>
    private static IEnumerable<string> WithVariants(string name) =>
        BackendSelector.HasThreads(name) ? BackendSelector.Variants.Where(BackendSelector.HasThreads).Prepend(name) : [name];

    private void WriteJson(List<(string Name, string Description)> found)
    {
        var output = new JsonOutput(Terminal.Out);
        output.Writer.WriteStartObject();
        output.Writer.WriteStartArray("devices");
        foreach ((string name, string description) in found)
        {
            output.Writer.WriteStartObject();
            output.Writer.WriteString("name", name);
            output.Writer.WriteString("description", description);
            output.Writer.WriteEndObject();
        }
        output.Writer.WriteEndArray();
        output.Writer.WriteEndObject();
        output.End();
    }
}
