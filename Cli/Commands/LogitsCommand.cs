using System.CommandLine;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Prints the largest logits after the last token, or after every one: what one needs to compare two engines.</summary>
internal sealed class LogitsCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly PromptArguments _prompt = new();
    private readonly Option<int[]?> _tokens = OptionOf.TokenIds("Token ids instead of a text.");
    private readonly Option<bool> _all = OptionOf.Flag("--all", "Every position instead of the last.");
    private readonly Option<long?> _top = OptionOf.Whole("--top", ["-k"], "How many tokens to show for a position; 10 when not given.", 1, long.MaxValue, "10");

    public LogitsCommand(Terminal terminal, Option<bool> json) : base("logits", "Prints what the model expects next, to compare engines.", terminal, json)
    {
        _model.AddTo(this);
        _prompt.AddTo(this);
        Options.Add(_tokens);
        Options.Add(_all);
        Options.Add(_top);
    }

    public override string[] Examples =>
    [
        "mambart logits --tokens 5,17,42 --top 3",
        "mambart logits -m model.gguf -p \"Once upon a time\" --all --json",
    ];

    protected override int Run(ParseResult arguments)
    {
        int[]? tokens = OptionOf.Given(arguments, _tokens);
        if (tokens is not null && _prompt.IsGiven(arguments)) throw new UsageException("--tokens and a text are both given; keep one of them.");
        string? text = tokens is null ? _prompt.Read(arguments, Terminal) : null;
        using OpenedModel opened = _model.Open(arguments, Terminal);
        tokens ??= TextTokens.Encode(opened.Model.Tokenizer, text!);   // one of them is there
        int top = (int)Math.Min(arguments.GetValue(_top) ?? 10, opened.Model.Plan.VocabularySize);
        CancellationToken cancel = Terminal.Interrupt.Begin();
        using Session session = opened.Model.StartSession();
        ILogitsListing listing = Json(arguments) ? new JsonListing(Terminal.Out) : new TextListing(Terminal.Out, opened.Model.Tokenizer);
        List(session, tokens, arguments.GetValue(_all), new Top(top), listing, cancel);
        listing.End();
        return Program.Ok;
    }

    private static void List(Session session, int[] tokens, bool all, Top top, ILogitsListing listing, CancellationToken cancel)
    {
        if (!all)
        {
            top.Take(session.Feed(tokens, cancel));
            listing.Add(tokens.Length - 1, tokens[^1], top);
            return;
        }
        int vocabulary = session.Model.Plan.VocabularySize, chunk = session.Model.LogitsAtOnce;
        for (int done = 0; done < tokens.Length; done += chunk)
        {
            int count = Math.Min(chunk, tokens.Length - done);
            ReadOnlySpan<float> logits = session.FeedAll(tokens.AsSpan(done, count), cancel);
            for (int i = 0; i < count; i++)
            {
                top.Take(logits.Slice(i * vocabulary, vocabulary));
                listing.Add(done + i, tokens[done + i], top);
            }
        }
    }

    /// <summary>The largest logits of one position, descending, ties by lower id.</summary>
    private sealed class Top(int count)
    {
        private readonly float[] _logProbs = new float[count];

        public int[] Ids { get; } = new int[count];

        public float[] Logits { get; } = new float[count];

        public void Take(ReadOnlySpan<float> logits)
        {
            LogProbs.Top(logits, Ids, _logProbs);
            for (int i = 0; i < Ids.Length; i++) Logits[i] = logits[Ids[i]];
        }
    }

    private interface ILogitsListing
    {
        void Add(int position, int token, Top top);

        void End();
    }

    private sealed class JsonListing : ILogitsListing
    {
        private readonly JsonOutput _json;

        public JsonListing(TextWriter output)
        {
            _json = new JsonOutput(output);
            _json.Writer.WriteStartObject();
            _json.Writer.WriteStartArray("positions");
        }

        public void Add(int position, int token, Top top)
        {
            _json.Writer.WriteStartObject();
            _json.Writer.WriteNumber("position", position);
            _json.Writer.WriteNumber("token", token);
            _json.Writer.WriteStartArray("top");
            for (int i = 0; i < top.Ids.Length; i++)
            {
                _json.Writer.WriteStartObject();
                _json.Writer.WriteNumber("id", top.Ids[i]);
                _json.Number("logit", top.Logits[i]);
                _json.Writer.WriteEndObject();
            }
            _json.Writer.WriteEndArray();
            _json.Writer.WriteEndObject();
            _json.Spill();
        }

        public void End()
        {
            _json.Writer.WriteEndArray();
            _json.Writer.WriteEndObject();
            _json.End();
        }
    }

    private sealed class TextListing(TextWriter output, ITokenizer tokenizer) : ILogitsListing
    {
        public void Add(int position, int token, Top top)
        {
            output.WriteLine($"position {position}, token {token}{Spelled(token)}");
            for (int i = 0; i < top.Ids.Length; i++)
                output.WriteLine($"{top.Ids[i],8} {Show.Exact(top.Logits[i]),14}{Spelled(top.Ids[i])}");
        }

        public void End() => output.Flush();

        private string Spelled(int token) => tokenizer.HasVocabulary && token < tokenizer.VocabularySize
            ? $"  '{TextTokens.Piece(tokenizer, token)}'" : "";
    }
}
