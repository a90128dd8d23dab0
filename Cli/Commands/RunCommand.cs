using System.CommandLine;
using System.Text;

namespace MambaRT.Cli;

/// <summary>Answers one prompt, streamed.</summary>
internal sealed class RunCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly PromptArguments _prompt = new();
    private readonly SamplingArguments _sampling = new();
    private readonly GenerationArguments _generation = new();
    private readonly TemplateArguments _template = new();
    private readonly Option<bool> _raw = OptionOf.Flag("--raw", "Continues the text as it is, without the chat template; special tokens are parsed.", "--no-chat-template");
    private readonly Option<string?> _system = OptionOf.Text("--system", ["-sys"], "TEXT", "What the model is told before the prompt.");
    private readonly Option<long?> _logProbs = OptionOf.Whole("--logprobs", [], "Also how likely each token was, and the N likeliest at its place.", 0, 1000, "5");

    public RunCommand(Terminal terminal, Option<bool> json) : base("run", "Answers one prompt.", terminal, json)
    {
        _model.AddTo(this);
        _prompt.AddTo(this);
        Options.Add(_raw);
        _template.AddTo(this);
        Options.Add(_system);
        Options.Add(_logProbs);
        _generation.AddTo(this);
        _sampling.AddTo(this);
    }

    public override string[] Examples =>
    [
        "mambart run -p \"Write a story about watermelons\"",
        "mambart run --raw -p \"Once upon a time\" -n 100 --temp 0",
        "cat question.txt | mambart run -m model.gguf --json",
    ];

    protected override int Run(ParseResult arguments)
    {
        if (arguments.GetValue(_raw) && arguments.GetValue(_system) is not null)
            throw new UsageException("--system needs the chat template, which --raw leaves out; keep one of them.");
        if (arguments.GetValue(_raw) && _template.IsGiven(arguments))
            throw new UsageException("--chat-template names a template, and --raw leaves it out; keep one of them.");
        List<TokenLogProbs>? logProbs = arguments.GetResult(_logProbs) is null ? null : [];
        GenerationOptions options = _generation.Build(arguments);
        if (logProbs is not null) options = options with { LogProbs = (int)(arguments.GetValue(_logProbs) ?? 0), OnLogProbs = logProbs.Add };
        string prompt = _prompt.Read(arguments, Terminal);
        using OpenedModel opened = _model.Open(arguments, Terminal);
        TextTokens.RequireVocabulary(opened.Model);
        SamplerChain sampler = _sampling.Build(arguments, opened.Model, Terminal);
        CancellationToken cancel = Terminal.Interrupt.Begin();
        var text = new StringBuilder();
        Action<string> show = Json(arguments) ? piece => text.Append(piece) : Terminal.Stream;
        ChatTemplate? template = Template(arguments, opened.Model);
        GenerationStats stats = template is null
            ? Continue(opened.Model, prompt, sampler, options, show, cancel)
            : Answer(opened.Model, template, prompt, arguments.GetValue(_system), sampler, options, show, cancel);
        if (Json(arguments)) WriteJson(text.ToString(), stats, sampler.Seed, logProbs);
        else WriteReport(stats, sampler.Seed, logProbs);
        return Program.Ok;
    }

    /// <summary>How the prompt is written as a turn; null where it is a text to continue.</summary>
    private ChatTemplate? Template(ParseResult arguments, Model model)
    {
        if (arguments.GetValue(_raw)) return null;
        ChatTemplate? template = _template.Choose(arguments, model);
        if (template is not null || arguments.GetValue(_system) is not null) return template ?? ChatTemplate.ChatMl;
        Terminal.Note($"'{model.Name}' has no chat template; the text is continued as with --raw.");
        return null;
    }

    private static GenerationStats Continue(Model model, string prompt, SamplerChain sampler, GenerationOptions options, Action<string> show, CancellationToken cancel)
    {
        int[] tokens = TextTokens.Encode(model.Tokenizer, prompt);
        using Session session = model.StartSession();
        var generator = new TextGenerator(session, sampler, options);
        foreach (string piece in generator.Generate(tokens, cancel)) show(piece);
        return generator.Stats;
    }

    private static GenerationStats Answer(Model model, ChatTemplate template, string prompt, string? system, SamplerChain sampler, GenerationOptions options, Action<string> show, CancellationToken cancel)
    {
        using var chat = new ChatSession(model.StartSession(), template, sampler, options, system);
        Answers.Read(chat.Say(prompt, cancel), show);
        return chat.Stats;
    }

    private void WriteReport(GenerationStats stats, uint seed, List<TokenLogProbs>? logProbs)
    {
        if (Terminal.OutIsTerminal) Terminal.Note("");
        if (logProbs is not null) LogProbsListing.Write(Terminal, logProbs);
        Terminal.Note(Report.Line(stats, seed));
    }

    private void WriteJson(string text, GenerationStats stats, uint seed, List<TokenLogProbs>? logProbs)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("text", text);
        Report.Write(json, stats, seed);
        if (logProbs is not null) LogProbsListing.Write(json, logProbs);
        json.Writer.WriteEndObject();
        json.End();
    }
}
