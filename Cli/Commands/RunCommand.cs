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

    public RunCommand(Terminal terminal, Option<bool> json) : base("run", "Answers one prompt.", terminal, json)
    {
        _model.AddTo(this);
        _prompt.AddTo(this);
        Options.Add(_raw);
        Options.Add(_system);
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
        int[] tokens = raw ? PromptTokens.Encode(model.Tokenizer, prompt) : ChatPrompt.Encode(model, system, prompt);
        SamplerChain sampler = _sampling.Build(arguments, model.Metadata);
        using Session session = model.StartSession();
        var generator = new TextGenerator(session, sampler, _generation.Build(arguments));
        using var interrupt = new Interrupt();
        string text = Generate(generator, tokens, Json(arguments), interrupt.Token);
        if (Json(arguments)) WriteJson(text, generator.Stats, sampler.Seed);
        else Report.Write(Terminal, generator.Stats, sampler.Seed);
        return Program.Ok;
    }

    /// <summary>Streams the text, or keeps it for JSON. Ctrl-C ends it early.</summary>
    private string Generate(TextGenerator generator, int[] tokens, bool keep, CancellationToken cancel)
    {
        var text = new StringBuilder();
        try
        {
            foreach (string piece in generator.Generate(tokens, cancel))
            {
                if (keep) text.Append(piece);
                else Terminal.Stream(piece);
            }
        }
        catch (OperationCanceledException)
        {
            // What there is by now is the answer.
        }
        return text.ToString();
    }

    private void WriteJson(string text, GenerationStats stats, uint seed)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("text", text);
        Report.Write(json, stats, seed);
        json.Writer.WriteEndObject();
        json.End();
    }
}
