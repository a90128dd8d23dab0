using System.CommandLine;
using System.Diagnostics;

namespace MambaRT.Cli;

/// <summary>Measures how well a model predicts a text.</summary>
internal sealed class PerplexityCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly ScoredText _text = new();

    public PerplexityCommand(Terminal terminal, Option<bool> json)
        : base("perplexity", "Measures how well a model predicts a text: windows side by side, all but a window's first token scored.", terminal, json)
    {
        _model.AddTo(this, withContext: false);
        _text.AddTo(this);
    }

    public override string[] Examples =>
    [
        "mambart perplexity -f text.txt",
        "mambart perplexity -m model.gguf -f text.txt -c 2048 --limit 100000 --json",
    ];

    protected override int Run(ParseResult arguments)
    {
        string plain = _text.Load(arguments, Terminal);
        using OpenedModel opened = _model.Open(arguments, Terminal);
        TokenWindows text = _text.Cut(arguments, plain, opened.Model.Tokenizer);
        Terminal.Note($"{Show.Count(text.TextLength)} tokens, {Show.Count(text.Count)} windows of {Show.Count(text.Length)}.");
        var loss = new TextLoss();
        long bytes = 0;
        var clock = Stopwatch.StartNew();
        CancellationToken cancel = Terminal.Interrupt.Begin();
        Progress.Run(Terminal, "Perplexity", report => WindowedScoring.Run([opened.Model], text, (_, next, logits) =>
        {
            loss.Add(next, logits);
            foreach (int token in next) bytes += opened.Model.Tokenizer.Decode(token, renderSpecial: true).Length;
        }, report, cancel));
        if (Json(arguments)) WriteJson(loss, bytes, text);
        else Write(loss, bytes, text, clock.Elapsed);
        return Program.Ok;
    }

    private void Write(TextLoss loss, long bytes, TokenWindows text, TimeSpan time)
    {
        Terminal.Out.WriteLine($"perplexity {Show.Fixed(loss.Perplexity, 4)} +- {Show.Fixed(loss.PerplexityError, 4)}");
        Terminal.Out.WriteLine($"{Show.Fixed(loss.Nats, 5)} +- {Show.Fixed(loss.NatsError, 5)} nats per token, {Show.Fixed(loss.BitsPerByte(bytes), 4)} bits per byte");
        Terminal.Out.WriteLine($"{Show.Count(loss.Count)} tokens scored in {Show.Count(text.Count)} windows, {Show.Fixed(loss.Count / time.TotalSeconds, 1)} tokens/s");
    }

    private void WriteJson(TextLoss loss, long bytes, TokenWindows text)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Number("perplexity", loss.Perplexity);
        json.Number("perplexity_error", loss.PerplexityError);
        json.Number("nats_per_token", loss.Nats);
        json.Number("nats_per_token_error", loss.NatsError);
        json.Number("bits_per_byte", loss.BitsPerByte(bytes));
        json.Writer.WriteNumber("tokens", text.TextLength);
        json.Writer.WriteNumber("window", text.Length);
        json.Writer.WriteNumber("windows", text.Count);
        json.Writer.WriteNumber("scored", loss.Count);
        json.Writer.WriteEndObject();
        json.End();
    }
}
