using System.CommandLine;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>The option that puts metadata in the place of a file's, in llama.cpp's notation.</summary>
internal sealed class OverrideArguments
{
    private readonly Option<string[]> _overrides = OptionOf.Texts("--override-kv", [], "KEY=TYPE:VALUE",
        "Metadata in the place of the file's, of type int, float, bool or str, such as tokenizer.ggml.pre=str:gpt-2; several with commas between, or repeated.");

    /// <summary>The option itself.</summary>
    public Option Option => _overrides;

    public void AddTo(Command command) => command.Options.Add(_overrides);

    /// <summary>Whether there is one.</summary>
    public bool IsGiven(ParseResult arguments) => arguments.GetResult(_overrides) is not null;

    /// <summary>Reads them.</summary>
    /// <exception cref="UsageException">One is not of that form.</exception>
    public MetadataOverrides Read(ParseResult arguments)
    {
        try
        {
            return MetadataOverrides.Parse(arguments.GetValue(_overrides) ?? []);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--override-kv: {e.Message}");
        }
    }
}
