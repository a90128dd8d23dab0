using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace MambaRT.Cli;

/// <summary>Puts the verbs together.</summary>
internal static class RootCommands
{
    /// <summary>The root with every verb, ready to parse.</summary>
    public static RootCommand Build(Terminal terminal)
    {
        var json = new Option<bool>("--json") { Description = "Results as JSON on standard output.", Recursive = true, Arity = ArgumentArity.Zero };
        var root = new RootCommand("Runs Mamba models: language models whose memory of a text has a constant size.") { json };
        root.Directives.Clear();
        root.Subcommands.Add(new RunCommand(terminal, json));
        root.Subcommands.Add(new ChatCommand(terminal, json));
        root.Subcommands.Add(new InfoCommand(terminal, json));
        root.Subcommands.Add(new TokenizeCommand(terminal, json));
        root.Subcommands.Add(new DetokenizeCommand(terminal, json));
        root.Subcommands.Add(new LogitsCommand(terminal, json));
        root.Subcommands.Add(new PerplexityCommand(terminal, json));
        root.Subcommands.Add(new CompareCommand(terminal, json));
        root.Subcommands.Add(new BenchCommand(terminal, json));
        root.Subcommands.Add(new DevicesCommand(terminal, json));
        root.Subcommands.Add(new PackCommand(terminal, json));
        root.Subcommands.Add(new ConvertCommand(terminal, json));
        root.Subcommands.Add(new ExportCommand(terminal, json));
        root.Subcommands.Add(new QuantizeCommand(terminal, json));
        root.Subcommands.Add(new ImatrixCommand(terminal, json));
        root.SetAction(arguments => Sized(new HelpAction(), terminal).Invoke(arguments));
        foreach (Option option in root.Options)
        {
            if (option is HelpOption help) help.Action = new HelpWithExamples(Sized((HelpAction)help.Action!, terminal));   // the library sets it
            else if (option is VersionOption version) version.Action = new VersionAction(terminal);
        }
        return root;
    }

    /// <summary>The library would ask the console, which sends a terminal escape sequences.</summary>
    private static HelpAction Sized(HelpAction help, Terminal terminal)
    {
        help.MaxWidth = terminal.OutIsTerminal ? terminal.Columns() : int.MaxValue;
        return help;
    }

    private sealed class VersionAction(Terminal terminal) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            terminal.Out.WriteLine(About.Version);
            return Program.Ok;
        }
    }

    private sealed class HelpWithExamples(SynchronousCommandLineAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            help.Invoke(parseResult);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (string example in (parseResult.CommandResult.Command as Verb)?.Examples ?? Examples) output.WriteLine($"  {example}");
            output.WriteLine();
            return Program.Ok;
        }
    }

    private static string[] Examples =>
    [
        "mambart run -p \"Write a story about watermelons\"",
        "mambart chat",
        "mambart info -m model.gguf",
    ];
}
