using System.CommandLine;
using MambaRT.Formats;
namespace MambaRT.Cli;

/// <summary>Shows what a model file holds.</summary>
internal sealed class InfoCommand : Verb
{
    private readonly ModelArguments _model = new();
    public InfoCommand(Terminal terminal, Option<bool> json) : base("info", "Shows what a model file holds.", terminal, json) => _model.AddFileTo(this);
    public override string[] Examples => ["mambart info", "mambart info -m model.gguf --plan"];
    protected override int Run(ParseResult arguments)
    {
        using GgufFile file = _model.OpenFile(arguments);
        foreach ((string key, GgufValue value) in file.Metadata.Entries) Terminal.Out.WriteLine($"{key} {value.Count}");
        return Program.Ok;
    }
}
