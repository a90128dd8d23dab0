using System.CommandLine;

namespace MambaRT.Cli;

/// <summary>Where text comes from: -p, -f, or standard input.</summary>
internal sealed class PromptArguments
{
    private readonly Option<string?> _prompt = OptionOf.Text("--prompt", ["-p"], "TEXT", "The text.");
    private readonly Option<string?> _file = OptionOf.Text("--file", ["-f"], "FILE", "A file with the text; '-' is standard input. At most 256 MiB; one line break at its end is left out.");

    public void AddTo(Command command)
    {
        command.Options.Add(_prompt);
        command.Options.Add(_file);
    }

    /// <summary>Whether -p or -f is there.</summary>
    public bool IsGiven(ParseResult arguments) => arguments.GetResult(_prompt) is not null || arguments.GetResult(_file) is not null;

    /// <summary>Reads the text.</summary>
    /// <exception cref="UsageException">There is none, or two.</exception>
    public string Read(ParseResult arguments, Terminal terminal)
    {
        string? text = arguments.GetValue(_prompt), file = arguments.GetValue(_file);
        if (text is not null && file is not null) throw new UsageException("-p and -f both give a text; keep one of them.");
        if (text is not null) return text;
        if (file is null && terminal.InIsTerminal) throw new UsageException("There is no text; give -p TEXT or -f FILE, or pipe it in.");
        return WithoutLastBreak(terminal.ReadText(file ?? "-"));
    }

    /// <summary>Editors and echo end a text with a line break that nobody means.</summary>
    private static string WithoutLastBreak(string text) =>
        text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
}
