using System.CommandLine;

namespace MambaRT.Cli;

/// <summary>How long to generate: -n, --stop, --ignore-eos.</summary>
internal sealed class GenerationArguments
{
    private readonly Option<long?> _count = OptionOf.Whole("--predict", ["-n", "--n-predict"], "How many tokens to generate at most; -1, as without it, until the model stops.", -1, long.MaxValue, "128");
    private readonly Option<string[]> _stop = OptionOf.Texts("--stop", ["-r", "--reverse-prompt"], "TEXT", "Ends the answer before this text; may be repeated.");
    private readonly Option<bool> _ignoreEnd = OptionOf.Flag("--ignore-eos", "Goes on where the model would stop; give -n too.");

    public void AddTo(Command command)
    {
        command.Options.Add(_count);
        command.Options.Add(_stop);
        command.Options.Add(_ignoreEnd);
    }

    public GenerationOptions Build(ParseResult arguments)
    {
        string[] stops = arguments.GetValue(_stop) ?? [];
        if (stops.Contains("")) throw new UsageException("--stop is empty; give the text to stop at.");
        return new GenerationOptions
        {
            MaxTokens = (int)Math.Min(arguments.GetValue(_count) ?? -1, int.MaxValue),
            Stop = stops,
            IgnoreEos = arguments.GetValue(_ignoreEnd),
        };
    }
}
