using System.CommandLine;

namespace MambaRT.Cli;

/// <summary>Talks with a model.</summary>
internal sealed class ChatCommand : Verb
{
    private readonly ModelArguments _model = new(keepsStates: true);
    private readonly SamplingArguments _sampling = new();
    private readonly GenerationArguments _generation = new();
    private readonly TemplateArguments _template = new();
    private readonly Option<string?> _system = OptionOf.Text("--system", ["-sys"], "TEXT", "What the model is told before the conversation.");
    private readonly Option<string?> _session = OptionOf.Text("--session", [], "FILE", "Saves every turn there, and goes on from there when it exists.");
    private readonly Option<bool> _newSession = OptionOf.Flag("--new-session", "Begins anew, and replaces the conversation in the file of --session.");
    private readonly Option<bool> _commands = OptionOf.Flag("--commands", "Takes lines that begin with a slash as commands also from a pipe or with --json; //text says \"/text\".");

    public ChatCommand(Terminal terminal, Option<bool> json) : base("chat", "Talks with a model; /help lists the commands.", terminal, json)
    {
        _model.AddTo(this);
        Options.Add(_system);
        Options.Add(_session);
        _template.AddTo(this);
        Options.Add(_newSession);
        Options.Add(_commands);
        _generation.AddTo(this);
        _sampling.AddTo(this);
    }

    public override string[] Examples =>
    [
        "mambart chat",
        "mambart chat --session evening.chat --temp 0.9",
        "echo \"Write a story about a fox\" | mambart chat --json",
    ];

    protected override int Run(ParseResult arguments)
    {
        bool isNew = arguments.GetValue(_newSession);
        if (isNew && arguments.GetValue(_session) is null) throw new UsageException("--new-session replaces the conversation of --session FILE; give both.");
        GenerationOptions options = _generation.Build(arguments);
        using SessionFile? session = arguments.GetValue(_session) is string path ? SessionFile.Take(path) : null;
        using OpenedModel opened = _model.Open(arguments, Terminal);
        Model model = opened.Model;
        TextTokens.RequireVocabulary(model);
        ChatTemplate? template = _template.Choose(arguments, model);
        if (template is null) Terminal.Note($"'{model.Name}' has no chat template; the common ChatML is used, which it may not know.");
        SamplerChain sampler = _sampling.Build(arguments, model, Terminal);
        var chat = new ChatSession(model.StartSession(), template ?? ChatTemplate.ChatMl, sampler, options, arguments.GetValue(_system));
        using var loop = new ChatLoop(Terminal, model, chat, sampler.Seed, session, Json(arguments), arguments.GetValue(_commands));
        return loop.Run($"{model.Name} on {model.BackendName}, a state of {Show.Bytes(model.StateBytes)}. /help lists the commands.", resume: !isNew);
    }
}
