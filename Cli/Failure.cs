using System.ComponentModel;

namespace MambaRT.Cli;

/// <summary>Says what went wrong in one line.</summary>
internal static class Failure
{
    /// <summary>Said of every lack of memory.</summary>
    public const string NoMemory = "There is not enough memory for this; close other programs or use a smaller model.";

    private const int Longest = 1000;

    private const int NoMemoryLeft = 12, NoHandleLeft = 24, NoHandleInSystem = 23;   // errno of Linux and macOS, as .NET hands it on

    /// <summary>The sentence for the person at the terminal; never a stack trace.</summary>
    public static string Sentence(Exception e) => OneLine(e switch
    {
        _ when IsOutOfMemory(e) => NoMemory,
        _ when ErrorOf(e) is NoHandleLeft or NoHandleInSystem => "There are too few file handles for this; allow more (ulimit -n), or close other programs.",
        StateBudgetException { InnerException: null } => $"{e.Message.Split(';')[0]}; end a branch or conversation, or allow more with --state-budget, such as 4G.",   // the way out of programs is another
        UsageException or FormatException or NotSupportedException or IOException or InvalidOperationException => e.Message,
        ArgumentException argument => WithoutParameter(argument),
        UnauthorizedAccessException => $"{e.Message} Check the permissions of the file and its folder.",
        TypeInitializationException { InnerException: { } inner } => Sentence(inner),
        _ => $"Something went wrong that should not ({e.GetType().Name}: {e.Message}); please report it with the command that was used.",
    });

    /// <summary>Whether it is a lack of memory, or came of one.</summary>
    public static bool IsOutOfMemory(Exception? e)
    {
        for (; e is not null; e = e.InnerException)
            if (e is OutOfMemoryException || ErrorOf(e) == NoMemoryLeft) return true;
        return false;
    }

    /// <summary>The system's number of the error; 0 where it gave none.</summary>
    private static int ErrorOf(Exception e) => e switch
    {
        Win32Exception system => system.NativeErrorCode,
        IOException => e.HResult,
        _ => 0,
    };

    /// <summary>Joins lines, and cuts what is endless.</summary>
    public static string OneLine(string text)
    {
        string line = string.Join(' ', text.Split(['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        return Show.Text(line, Longest);
    }

    /// <summary>The message without what only a programmer can use: the parameter's name and the value repeated.</summary>
    private static string WithoutParameter(ArgumentException e)
    {
        int tail = e.ParamName is null ? -1 : e.Message.LastIndexOf($" (Parameter '{e.ParamName}')", StringComparison.Ordinal);
        return tail < 0 ? e.Message : e.Message[..tail];
    }
}
