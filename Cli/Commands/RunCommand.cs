using System.CommandLine;
using System.Text;
using MambaRT.Runtime;

namespace MambaRT.Cli;

/// <summary>Answers one prompt, streamed.</summary>
internal sealed class RunCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly PromptArguments _prompt = new();
    private readonly SamplingArguments _sampling = new();
    private readonly GenerationArguments _generation = new();
    private readonly Option<bool> _raw = OptionOf.Flag("--raw", "Continues the text as it is, without the chat template.");
    private readonly Option<string?> _system = OptionOf.Text("--system", ["-sys"], "TEXT", "What the model is told before the prompt.");

    private readonly Option<long?> _logProbs = OptionOf.Whole("--logprobs", [], "Also how likely each token was, and the N likeliest at its place.", 0, 1000, "5");

    public RunCommand(Terminal terminal, Option<bool> json) : base("run", "Answers one prompt.", terminal, json)
    {
        _model.AddTo(this);
        _prompt.AddTo(this);
        Options.Add(_raw);
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
        bool raw = arguments.GetValue(_raw);
        string? system = arguments.GetValue(_system);
        if (raw && system is not null) throw new UsageException("--system needs the chat template, which --raw leaves out; keep one of them.");
        string prompt = _prompt.Read(arguments, Terminal);
        using OpenedModel opened = _model.Open(arguments, Terminal);
        Model model = opened.Model;
        int[] tokens = raw ? TextTokens.Encode(model.Tokenizer, prompt) : ChatPrompt.Encode(model, system, prompt);
        SamplerChain sampler = _sampling.Build(arguments, model.Metadata);
        List<TokenLogProbs>? logProbs = arguments.GetResult(_logProbs) is null ? null : [];
        GenerationOptions options = _generation.Build(arguments);
        if (logProbs is not null) options = options with { LogProbs = (int)(arguments.GetValue(_logProbs) ?? 0), OnLogProbs = logProbs.Add };
        using Session session = model.StartSession();
        var generator = new TextGenerator(session, sampler, options);
        using var interrupt = new Interrupt();
        string text = Generate(generator, tokens, Json(arguments), interrupt.Token);
        if (Json(arguments)) WriteJson(text, generator.Stats, sampler.Seed, logProbs);
        else WriteReport(generator.Stats, sampler.Seed, logProbs);
        return Program.Ok;
    }

    /// <summary>Streams the text, or keeps it for JSON. Ctrl-C ends it early.</summary>
    private string Generate(TextGenerator generator, int[] tokens, bool keep, CancellationToken cancel)
    {
        var text = new StringBuilder();
        foreach (string piece in generator.Generate(tokens, cancel))
        {
            if (keep) text.Append(piece);
            else Terminal.Stream(piece);
        }
        return text.ToString();
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
