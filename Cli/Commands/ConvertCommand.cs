using System.CommandLine;
using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Cli;

/// <summary>Makes a GGUF file of a folder as model hubs have them.</summary>
internal sealed class ConvertCommand : Verb
{
    private static readonly string[] TypeNames = [.. QuantTypes.All.Where(type => type.CanEncode).Select(type => type.Name)];

    private readonly Argument<string> _folder = new("DIR") { Description = "The folder: config.json, safetensors or pytorch_model.bin, the tokenizer's files." };
    private readonly Option<string?> _output = OptionOf.Text("--output", ["-o", "--outfile"], "FILE", "The .gguf file to write.");
    private readonly Option<string?> _type = OptionOf.Choice("--type", ["--outtype"], "How the large matrices are stored; F16 when not given.", TypeNames);
    private readonly Option<string?> _tokenizer = OptionOf.Text("--tokenizer", [], "DIR|FILE.gguf", "Takes the tokenizer from another folder or a GGUF file.");
    private readonly Option<string?> _name = OptionOf.Text("--name", [], "TEXT", "The model's name; the folder's when not given.");
    private readonly Option<string?> _license = OptionOf.Text("--license", [], "TEXT", "The model's licence, such as MIT.");

    public ConvertCommand(Terminal terminal, Option<bool> json) : base("convert", "Makes a GGUF file of a folder as model hubs have them.", terminal, json)
    {
        Arguments.Add(_folder);
        _output.Required = true;
        Options.Add(_output);
        Options.Add(_type);
        Options.Add(_tokenizer);
        Options.Add(_name);
        Options.Add(_license);
    }

    public override string[] Examples =>
    [
        "mambart convert mamba-130m-hf -o mamba-130m.gguf --type Q8_0",
        "mambart convert mamba-130m -o mamba-130m.gguf --tokenizer gpt-neox-20b",
        "mambart run -m mamba-130m.gguf --raw -p \"Hello\" -n 50",
    ];

    protected override int Run(ParseResult arguments)
    {
        string output = arguments.GetValue(_output)!;   // required
        var options = new ConversionOptions
        {
            Type = Type(arguments.GetValue(_type) ?? "F16"),
            Tokenizer = arguments.GetValue(_tokenizer),
            Name = arguments.GetValue(_name),
            License = arguments.GetValue(_license),
        };
        using var interrupt = new Interrupt();
        ConversionReport? done = null;
        Progress.Run(Terminal, "Converting", report =>
            done = ModelConverter.Convert(arguments.GetValue(_folder)!, output, options, new TensorProgress(report), interrupt.Token));
        Write(done!, output, Json(arguments));   // set, or an exception has left
        return Program.Ok;
    }

    private static QuantType Type(string name) => QuantTypes.All.First(type => type.Name == name);

    private void Write(ConversionReport done, string output, bool asJson)
    {
        foreach (string note in done.Notes) Terminal.Note(note);
        if (done.StoredOtherwise.Count > 0)
            Terminal.Note($"{done.StoredOtherwise.Count} tensors have rows that are not whole blocks of that type and are stored otherwise.");
        if (!asJson)
        {
            Terminal.Note($"Wrote {output}: {done.Architecture}, {done.Tensors} tensors, {Show.Bytes(done.FileBytes)}.");
            return;
        }
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("output", output);
        json.Writer.WriteString("architecture", done.Architecture);
        json.Writer.WriteNumber("tensors", done.Tensors);
        json.Writer.WriteNumber("bytes", done.FileBytes);
        json.Writer.WriteStartArray("stored_otherwise");
        foreach (StoredOtherwise tensor in done.StoredOtherwise)
        {
            json.Writer.WriteStartObject();
            json.Writer.WriteString("tensor", tensor.Tensor);
            json.Writer.WriteString("type", tensor.Stored.Name);
            json.Writer.WriteEndObject();
        }
        json.Writer.WriteEndArray();
        json.Strings("notes", done.Notes);
        json.Writer.WriteEndObject();
        json.End();
    }
}
