using System.CommandLine;

namespace MambaRT.Cli;

/// <summary>One verb of the command line.</summary>
internal abstract class Verb : Command
{
    private readonly Option<bool> _json;

    protected Verb(string name, string description, Terminal terminal, Option<bool> json) : base(name, description)
    {
        Terminal = terminal;
        _json = json;
        SetAction(Run);
    }

    /// <summary>Command lines for --help.</summary>
    public abstract string[] Examples { get; }

    protected Terminal Terminal { get; }

    /// <summary>Whether --json is there.</summary>
    protected bool Json(ParseResult arguments) => arguments.GetValue(_json);

    /// <summary>Does the work and returns the exit code; failures are exceptions.</summary>
    protected abstract int Run(ParseResult arguments);
}
