using System.Text;

namespace MambaRT.Cli;

/// <summary>What is said where nothing else can be: about an exception that nobody caught, on any thread.</summary>
internal static class LastWords
{
    private static readonly byte[] NoMemory = Encoding.UTF8.GetBytes(Failure.NoMemory + "\n");   // made while there is memory

    private static Stream? _error;

    /// <summary>Ends the program with a sentence and an exit code, not with a trace, when a thread's exception is caught by nobody.</summary>
    public static void Install()
    {
        _error = Terminal.OpenError();
        AppDomain.CurrentDomain.UnhandledException += (_, arguments) =>
        {
            if (arguments.ExceptionObject is Exception e) Say(e);
            Environment.Exit(Program.BadInput);
        };
    }

    /// <summary>Says what went wrong on standard error.</summary>
    public static void Say(Exception e)
    {
        byte[] line;
        try
        {
            line = Failure.IsOutOfMemory(e) ? NoMemory : Encoding.UTF8.GetBytes(Failure.Sentence(e) + "\n");
        }
        catch (OutOfMemoryException)
        {
            line = NoMemory;
        }
        _error?.Write(line);
    }
}
