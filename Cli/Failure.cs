namespace MambaRT.Cli;

/// <summary>Says what went wrong in one line.</summary>
internal static class Failure
{
    private const int Longest = 1000;

    /// <summary>The sentence for the person at the terminal; never a stack trace.</summary>
    public static string Sentence(Exception e) => OneLine(e switch
    {
        UsageException or FormatException or NotSupportedException or IOException or InvalidOperationException => e.Message,
        ArgumentException argument => WithoutParameter(argument),
        UnauthorizedAccessException => $"{e.Message} Check the permissions of the file and its folder.",
        OutOfMemoryException => "There is not enough memory for this; close other programs or use a smaller model.",
        TypeInitializationException { InnerException: { } inner } => Sentence(inner),
        _ => $"Something went wrong that should not ({e.GetType().Name}: {e.Message}); please report it with the command that was used.",
    });

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
