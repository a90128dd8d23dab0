using System.CommandLine;
using System.CommandLine.Invocation;

namespace MambaRT.Cli;

/// <summary>The command line: starts a verb, and turns every failure into a sentence and an exit code: 0, 1, 2, or 128 and the number of the signal that ended it.</summary>
internal static class Program
{
    public const int Ok = 0, BadInput = 1, BadUsage = 2;

    private static int Main(string[] args)
    {
        try
        {
            LastWords.Install();
            using IDisposable? limit = FileLimit.AsError();
            Terminal terminal = Terminal.Open();
            if (args.Length == 0 && ModelLocator.FindAppended() is not null) args = ["chat"];
            return Run(args, terminal);
        }
        catch (OutputClosedException)
        {
            return Ok;
        }
        catch (Exception e)
        {
            LastWords.Say(e);
            return BadInput;
        }
    }

    /// <summary>Runs one command line.</summary>
    internal static int Run(string[] args, Terminal terminal)
    {
        try
        {
            ParseResult arguments = RootCommands.Build(terminal).Parse(args, new ParserConfiguration
            {
                EnablePosixBundling = false,   // "-p -foo" is a prompt, not a bundle
                ResponseFileTokenReplacer = null,   // "-p @you" is a prompt, not a file
            });
            int code = arguments.Action is ParseErrorAction
                ? Refuse(arguments, terminal)
                : arguments.Invoke(new InvocationConfiguration
                {
                    Output = terminal.Out,
                    Error = terminal.Error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                });
            terminal.Out.Flush();
            return code == Ok ? terminal.Interrupt.ExitCode ?? Ok : code;
        }
        catch (Exception e)
        {
            return Fail(e, terminal);
        }
    }

    private static int Fail(Exception e, Terminal terminal)
    {
        if (e is OutputClosedException) return terminal.Interrupt.ExitCode ?? Ok;
        try
        {
            terminal.Out.Flush();   // what was generated before it went wrong
        }
        catch (IOException)
        {
            // The sentence below says what went wrong first.
        }
        if (e is OperationCanceledException && terminal.Interrupt.ExitCode is { } interrupted) return interrupted;
        terminal.Error.WriteLine(Failure.Sentence(e));
        return e is UsageException ? BadUsage : BadInput;
    }

    private static int Refuse(ParseResult arguments, Terminal terminal)
    {
        string verb = arguments.CommandResult.Command is RootCommand ? "" : arguments.CommandResult.Command.Name + " ";
        terminal.Error.WriteLine(Failure.OneLine(arguments.Errors[0].Message));
        terminal.Error.WriteLine($"See 'mambart {verb}--help'.");
        return BadUsage;
    }
}
