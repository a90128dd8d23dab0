using System.CommandLine;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Turns token ids into their text.</summary>
internal sealed class DetokenizeCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly Option<int[]?> _tokens = OptionOf.TokenIds("The token ids; without it they are read from standard input.");

    public DetokenizeCommand(Terminal terminal, Option<bool> json) : base("detokenize", "Turns token ids into text.", terminal, json)
    {
        _model.AddFileTo(this);
        Options.Add(_tokens);
    }

    public override string[] Examples =>
    [
        "mambart detokenize --tokens 5,17,42",
        "mambart tokenize -f story.txt --ids | mambart detokenize",
    ];

    protected override int Run(ParseResult arguments)
    {
        if (OptionOf.Given(arguments, _tokens) is not { } tokens)
        {
            if (Terminal.InIsTerminal) throw new UsageException("There are no tokens; give --tokens 5,17,42 or pipe ids in.");
            tokens = OptionOf.ParseTokenIds(Terminal.ReadAll());
        }
        using GgufFile file = _model.OpenFile(arguments);
        string text = TextTokens.Text(Tokenizer.Create(file.Metadata), tokens);
        if (Json(arguments)) WriteJson(text);
        else Terminal.Stream(text);
        if (Terminal.OutIsTerminal && !Json(arguments)) Terminal.Note("");
        return Program.Ok;
    }

    private void WriteJson(string text)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("text", text);
        json.Writer.WriteEndObject();
        json.End();
    }
}
