using System.CommandLine;
using System.Text;
using System.Text.Unicode;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Turns token ids into their text.</summary>
internal sealed class DetokenizeCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly Option<int[]?> _tokens = OptionOf.TokenIds("The token ids; without it they are read from standard input.");

    private readonly Option<bool> _raw = OptionOf.Flag("--raw", "Writes the bytes as they are, also where they are no whole characters, and nothing else.");

    public DetokenizeCommand(Terminal terminal, Option<bool> json) : base("detokenize", "Turns token ids into text.", terminal, json)
    {
        _model.AddFileTo(this);
        Options.Add(_tokens);
        Options.Add(_raw);
    }

    public override string[] Examples =>
    [
        "mambart detokenize --tokens 5,17,42",
        "mambart tokenize -f story.txt --ids | mambart detokenize --raw > again.txt",
    ];

    protected override int Run(ParseResult arguments)
    {
        bool raw = arguments.GetValue(_raw);
        if (raw && Json(arguments)) throw new UsageException("--raw writes bytes and --json text; keep one of them.");
        if (OptionOf.Given(arguments, _tokens) is not { } tokens)
        {
            if (Terminal.InIsTerminal) throw new UsageException("There are no tokens; give --tokens 5,17,42 or pipe ids in.");
            tokens = OptionOf.ParseTokenIds(Terminal.ReadAll());
        }
        using GgufFile file = _model.OpenFile(arguments);
        byte[] bytes = TextTokens.Bytes(TextTokens.Of(file, Terminal), tokens);
        if (raw) Terminal.WriteBytes(bytes);
        else if (Json(arguments)) WriteJson(bytes);
        else Terminal.Stream(Encoding.UTF8.GetString(bytes));
        if (Terminal.OutIsTerminal && !raw && !Json(arguments)) Terminal.Note("");
        return Program.Ok;
    }

    private void WriteJson(byte[] bytes)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("text", Encoding.UTF8.GetString(bytes));
        if (!Utf8.IsValid(bytes)) json.Bytes("bytes", bytes);   // what the text cannot tell
        json.Writer.WriteEndObject();
        json.End();
    }
}
