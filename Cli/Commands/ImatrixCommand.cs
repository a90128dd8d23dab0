using System.CommandLine;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Measures over a text which columns of the weights matter.</summary>
internal sealed class ImatrixCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly Option<string?> _file = OptionOf.Text("--file", ["-f"], "FILE", "The text; '-' is standard input. At most 256 MiB.");
    private readonly Option<string?> _output = OptionOf.Text("--output", ["-o"], "FILE", "The importance matrix to write, in GGUF.");
    private readonly Option<long?> _window = OptionOf.Whole("--ctx-size", ["-c"], "Tokens in a chunk, each from a zero state; 512 when not given.", 1, 1 << 24, "512");
    private readonly Option<long?> _chunks = OptionOf.Whole("--chunks", [], "Chunks at most; all of the text when not given.", 1, int.MaxValue, "100");

    public ImatrixCommand(Terminal terminal, Option<bool> json)
        : base("imatrix", "Measures over a text which columns of the weights matter, for 'quantize --imatrix'.", terminal, json)
    {
        _model.AddTo(this, withContext: false);
        _file.Required = _output.Required = true;
        foreach (Option option in (Option[])[_file, _output, _window, _chunks]) Options.Add(option);
    }

    public override string[] Examples =>
    [
        "mambart imatrix -m model-f16.gguf -f text.txt -o model.imatrix.gguf",
        "mambart quantize model-f16.gguf model-q3.gguf Q3_K_M --imatrix model.imatrix.gguf",
    ];

    protected override int Run(ParseResult arguments)
    {
        string path = arguments.GetValue(_file)!, output = arguments.GetValue(_output)!;   // both required
        int window = (int)(arguments.GetValue(_window) ?? 512);
        Outputs.Check([output], [path, .. _model.Files(arguments)]);
        string text = Terminal.ReadText(path);
        var collector = new ImportanceCollector();
        using OpenedModel opened = _model.Open(arguments, Terminal, collector);
        int[] tokens = opened.Model.Tokenizer.Encode(text, parseSpecial: true);
        int chunks = (int)Math.Min(tokens.Length / window, arguments.GetValue(_chunks) ?? int.MaxValue);
        if (chunks == 0)
            throw new FormatException($"'{path}' has {Show.Count(tokens.Length)} tokens and a chunk {Show.Count(window)}; use a longer text or a smaller -c.");
        Terminal.Note($"{Show.Count(tokens.Length)} tokens, {(chunks == 1 ? "one chunk" : $"{Show.Count(chunks)} chunks")} of {Show.Count(window)}.");
        CancellationToken cancel = Terminal.Interrupt.Begin();
        Progress.Run(Terminal, "Measuring", report => Feed(opened.Model, tokens, window, chunks, report, cancel));
        ImportanceMatrix matrix = collector.Build(opened.Model.Plan, output, Path.GetFileName(path), chunks, window);
        matrix.Write(output);
        if (Json(arguments)) WriteJson(matrix, output);
        else Terminal.Note($"Wrote {output}: {Show.Count(matrix.Count)} weight matrices over {Show.Count((long)chunks * window)} tokens.");
        return Program.Ok;
    }

    /// <summary>Every token's logits are asked for, so that the head's input is seen too.</summary>
    private static void Feed(Model model, int[] tokens, int window, int chunks, Action<double> report, CancellationToken cancel)
    {
        using Session session = model.StartSession();
        for (int c = 0; c < chunks; c++)
        {
            session.Reset();
            for (int done = 0; done < window; done += model.LogitsAtOnce)
                session.FeedAll(tokens.AsSpan(c * window + done, Math.Min(model.LogitsAtOnce, window - done)), cancel);
            report((c + 1) / (double)chunks);
        }
    }

    private void WriteJson(ImportanceMatrix matrix, string output)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("output", output);
        json.Writer.WriteNumber("entries", matrix.Count);
        json.Writer.WriteNumber("chunks", matrix.Chunks);
        json.Writer.WriteNumber("chunk_tokens", matrix.ChunkTokens);
        json.Writer.WriteEndObject();
        json.End();
    }
}
