using System.CommandLine;
using System.Diagnostics;
using MambaRT.Runtime;

namespace MambaRT.Cli;

/// <summary>Measures how well a model predicts a text.</summary>
internal sealed class PerplexityCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly Option<string?> _file = OptionOf.Text("--file", ["-f"], "FILE", "The text.");
    private readonly Option<long?> _window = OptionOf.Whole("--ctx-size", ["-c"], "Tokens in a window, each from a zero state; 1024 when not given.", 2, 1 << 24, "1024");

    public PerplexityCommand(Terminal terminal, Option<bool> json)
        : base("perplexity", "Measures how well a model predicts a text: windows side by side, all but a window's first token scored.", terminal, json)
    {
        _model.AddTo(this, withContext: false);
        _file.Required = true;
        Options.Add(_file);
        Options.Add(_window);
    }

    public override string[] Examples =>
    [
        "mambart perplexity -f text.txt",
        "mambart perplexity -m model.gguf -f text.txt -c 2048 --json",
    ];

    protected override int Run(ParseResult arguments)
    {
        string path = arguments.GetValue(_file)!;   // required
        int window = (int)(arguments.GetValue(_window) ?? 1024);
        string text = TextFile.Read(path);
        using OpenedModel opened = _model.Open(arguments, Terminal);
        int[] tokens = opened.Model.Tokenizer.Encode(text, parseSpecial: true);
        int windows = tokens.Length / window;
        if (windows == 0)
            throw new FormatException($"'{path}' has {Show.Count(tokens.Length)} tokens and a window {Show.Count(window)}; use a longer text or a smaller -c.");
        Terminal.Note($"{Show.Count(tokens.Length)} tokens, {Show.Count(windows)} windows of {Show.Count(window)}.");
        var score = new Score();
        var clock = Stopwatch.StartNew();
        using var interrupt = new Interrupt();
        Progress.Run(Terminal, "Perplexity", report => Measure(opened.Model, tokens, window, windows, score, report, interrupt.Token));
        if (Json(arguments)) WriteJson(score, tokens.Length, windows, window);
        else Write(score, windows, clock.Elapsed);
        return Program.Ok;
    }

    private static void Measure(Model model, int[] tokens, int window, int windows, Score score, Action<double> report, CancellationToken cancel)
    {
        using Session session = model.StartSession();
        int vocabulary = model.Plan.VocabularySize;
        for (int w = 0; w < windows; w++)
        {
            session.Reset();
            // The last token of a window predicts nothing that is scored.
            for (int done = 0; done < window - 1; done += model.Options.ChunkTokens)
            {
                int start = w * window + done, count = Math.Min(model.Options.ChunkTokens, window - 1 - done);
                ReadOnlySpan<float> logits = session.FeedAll(tokens.AsSpan(start, count), cancel);
                for (int i = 0; i < count; i++)
                {
                    int next = tokens[start + i + 1];
                    score.Add(-LogProbs.Of(logits.Slice(i * vocabulary, vocabulary), next), model.Tokenizer.Decode(next, renderSpecial: true).Length);
                }
                report((w + (done + count) / (double)(window - 1)) / windows);
            }
        }
    }

    private void Write(Score score, int windows, TimeSpan time)
    {
        Terminal.Out.WriteLine($"perplexity {Show.Fixed(score.Perplexity, 4)} +- {Show.Fixed(score.PerplexityError, 4)}");
        Terminal.Out.WriteLine($"{Show.Fixed(score.Nats, 5)} +- {Show.Fixed(score.NatsError, 5)} nats per token, {Show.Fixed(score.BitsPerByte, 4)} bits per byte");
        Terminal.Out.WriteLine($"{Show.Count(score.Count)} tokens scored in {Show.Count(windows)} windows, {Show.Fixed(score.Count / time.TotalSeconds, 1)} tokens/s");
    }

    private void WriteJson(Score score, int tokens, int windows, int window)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Number("perplexity", score.Perplexity);
        json.Number("perplexity_error", score.PerplexityError);
        json.Number("nats_per_token", score.Nats);
        json.Number("nats_per_token_error", score.NatsError);
        json.Number("bits_per_byte", score.BitsPerByte);
        json.Writer.WriteNumber("tokens", tokens);
        json.Writer.WriteNumber("window", window);
        json.Writer.WriteNumber("windows", windows);
        json.Writer.WriteNumber("scored", score.Count);
        json.Writer.WriteEndObject();
        json.End();
    }

    /// <summary>Mean and spread of what the tokens cost, by Welford's sums.</summary>
    private sealed class Score
    {
        private double _squares;
        private long _bytes;

        public long Count { get; private set; }

        /// <summary>Mean cost of a token.</summary>
        public double Nats { get; private set; }

        /// <summary>Standard error of <see cref="Nats"/>.</summary>
        public double NatsError => Count < 2 ? double.NaN : Math.Sqrt(_squares / (Count - 1) / Count);

        public double Perplexity => Math.Exp(Nats);

        /// <summary>To first order, as llama.cpp states it.</summary>
        public double PerplexityError => Perplexity * NatsError;

        public double BitsPerByte => Nats * Count / Math.Log(2) / _bytes;

        public void Add(double nats, int bytes)
        {
            Count++;
            _bytes += bytes;
            double off = nats - Nats;
            Nats += off / Count;
            _squares += off * (nats - Nats);
        }
    }
}
