using System.CommandLine;

namespace MambaRT.Cli;

/// <summary>Which chat template turns are written by: --chat-template, else the model's own.</summary>
internal sealed class TemplateArguments
{
    private readonly Option<string?> _template = OptionOf.Text("--chat-template", [], "NAME|FILE|TEXT", "Another template than the model's: a common one (chatml, llama3, ...), a file, or Jinja.");

    public void AddTo(Command command) => command.Options.Add(_template);

    /// <summary>Whether another template is asked for.</summary>
    public bool IsGiven(ParseResult arguments) => arguments.GetResult(_template) is not null;

    /// <summary>The template asked for, else the model's own, or null.</summary>
    /// <exception cref="UsageException">What is asked for is no name, file or Jinja.</exception>
    public ChatTemplate? Choose(ParseResult arguments, Model model)
    {
        if (arguments.GetValue(_template) is not { } wanted) return ChatTemplates.Of(model);
        if (ChatTemplates.Named(wanted) is { } named) return named;
        if (wanted.Contains("{{", StringComparison.Ordinal) || wanted.Contains("{%", StringComparison.Ordinal)) return ChatTemplate.Parse(wanted);
        if (File.Exists(wanted)) return ChatTemplate.Parse(TextFile.Read(wanted));
        throw new UsageException($"--chat-template is '{Show.Text(wanted, 60)}', which is no file and no Jinja; give one of these or a name: {string.Join(", ", ChatTemplates.Names)}.");
    }
}
