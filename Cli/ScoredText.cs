using System.CommandLine;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>The options that say which text is scored in which windows: -f, -c and --limit.</summary>
internal sealed class ScoredText
{
    private readonly Option<string?> _file = OptionOf.Text("--file", ["-f"], "FILE", "The text; '-' is standard input. At most 256 MiB.");
    private readonly Option<long?> _window = OptionOf.Whole("--ctx-size", ["-c"], "Tokens in a window, each from a zero state; 1024 when not given.", 2, 1 << 24, "1024");
    private readonly Option<long?> _limit = OptionOf.Whole("--limit", [], "Only the first N tokens of the text.", 2, int.MaxValue, "20000");

    /// <summary>Adds the options.</summary>
    public void AddTo(Command command)
    {
        _file.Required = true;
        command.Options.Add(_file);
        command.Options.Add(_window);
        command.Options.Add(_limit);
    }

    /// <summary>The file.</summary>
    public string Path(ParseResult arguments) => arguments.GetValue(_file)!;   // required

    /// <summary>The file's name without its folders.</summary>
    public string Name(ParseResult arguments) => System.IO.Path.GetFileName(Path(arguments));

    /// <summary>Checks that the text can be read, before anything that takes time.</summary>
    /// <exception cref="IOException">It cannot be.</exception>
    /// <exception cref="FormatException">It is empty.</exception>
    public string Load(ParseResult arguments, Terminal terminal)
    {
        string path = Path(arguments), text = terminal.ReadText(path);
        return text.Length > 0 ? text : throw new FormatException($"'{path}' is empty; give a text of at least a window of tokens, {Show.Count(Window(arguments))}.");
    }

    /// <summary>Cuts a text into windows of a model's tokens.</summary>
    /// <exception cref="FormatException">It is shorter than a window.</exception>
    public TokenWindows Cut(ParseResult arguments, string text, ITokenizer tokenizer)
    {
        int[] tokens = tokenizer.Encode(text, parseSpecial: true);
        if (arguments.GetValue(_limit) is long limit && limit < tokens.Length) tokens = tokens[..(int)limit];
        int window = Window(arguments);
        return tokens.Length >= window ? new TokenWindows(tokens, window)
            : throw new FormatException($"'{arguments.GetValue(_file)}' has {Show.Count(tokens.Length)} tokens and a window {Show.Count(window)}; use a longer text, a larger --limit or a smaller -c.");
    }

    private int Window(ParseResult arguments) => (int)(arguments.GetValue(_window) ?? 1024);
}
