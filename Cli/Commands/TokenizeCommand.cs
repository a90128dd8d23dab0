using System.CommandLine;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Shows which tokens a text becomes.</summary>
internal sealed class TokenizeCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly PromptArguments _prompt = new();
    private readonly Option<bool> _ids = OptionOf.Flag("--ids", "The ids alone, on one line, as --tokens takes them.");
    private readonly Option<bool> _noBos = OptionOf.Flag("--no-bos", "Leaves out the token that the model puts before a text.");
    private readonly Option<bool> _plain = OptionOf.Flag("--no-parse-special", "Takes the text of special tokens as plain text.");

    public TokenizeCommand(Terminal terminal, Option<bool> json) : base("tokenize", "Shows which tokens a text becomes.", terminal, json)
    {
        _model.AddFileTo(this);
        _prompt.AddTo(this);
        Options.Add(_ids);
        Options.Add(_noBos);
        Options.Add(_plain);
    }

    public override string[] Examples =>
    [
        "mambart tokenize -p \"Once upon a time\"",
        "mambart tokenize -m model.gguf -f story.txt --ids",
    ];

    protected override int Run(ParseResult arguments)
    {
        string text = _prompt.Read(arguments, Terminal);
        using GgufFile file = _model.OpenFile(arguments);
        ITokenizer tokenizer = TextTokens.Of(file, Terminal);
        int[] tokens = TextTokens.Encode(tokenizer, text, !arguments.GetValue(_plain), !arguments.GetValue(_noBos));
        if (Json(arguments)) WriteJson(tokenizer, tokens);
        else if (arguments.GetValue(_ids)) Terminal.Out.WriteLine(string.Join(',', tokens));
        else foreach (int token in tokens) Terminal.Out.WriteLine($"{token,8}  '{TextTokens.Piece(tokenizer, token)}'");
        return Program.Ok;
    }

    private void WriteJson(ITokenizer tokenizer, int[] tokens)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteStartArray("tokens");
        foreach (int token in tokens)
        {
            json.Writer.WriteStartObject();
            json.Writer.WriteNumber("id", token);
            json.Writer.WriteString("piece", tokenizer.Spelling(token));
            json.Writer.WriteEndObject();
        }
        json.Writer.WriteEndArray();
        json.Writer.WriteEndObject();
        json.End();
    }
}
