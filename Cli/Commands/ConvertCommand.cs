using System.CommandLine;

namespace MambaRT.Cli;

/// <summary>Makes a GGUF file of a folder as model hubs have them.</summary>
internal sealed class ConvertCommand : Verb
{
    private readonly Argument<string> _folder = new("DIR") { Description = "The folder: config.json, safetensors or pytorch_model.bin, the tokenizer's files." };
    private readonly Option<string?> _output = OptionOf.Text("--output", ["-o", "--outfile"], "FILE", "The .gguf file to write.");
    private readonly Option<string?> _type = OptionOf.Choice("--type", ["--outtype"],
        $"How the large matrices are stored: {string.Join(", ", QuantTarget.All)}; F16 when not given.", [.. QuantTarget.All.Select(target => target.Name)]);
    private readonly Option<string?> _policy = StorageChoice.Policy();
    private readonly Option<string?> _tokenizer = OptionOf.Text("--tokenizer", [], "DIR|FILE.gguf", "Takes the tokenizer from another folder or a GGUF file.");
    private readonly Option<string?> _name = OptionOf.Text("--name", [], "TEXT", "The model's name; that of the folder, or of the repository in a hub's cache, when not given.");
    private readonly Option<string?> _license = OptionOf.Text("--license", [], "TEXT", "The model's licence, such as MIT.");
    private readonly Option<long?> _threads = OptionOf.Whole("--threads", ["-t"], "Threads of the CPU; 0 for one per core.", 0, 1024, "4");

    public ConvertCommand(Terminal terminal, Option<bool> json) : base("convert", "Makes a GGUF file of a folder as model hubs have them.", terminal, json)
    {
        Arguments.Add(_folder);
        _output.Required = true;
        _type.HelpName = "TYPE";   // the names would make a column wider than the rest of the page
        foreach (Option option in (Option[])[_output, _type, _policy, _tokenizer, _name, _license, _threads]) Options.Add(option);
    }

    public override string[] Examples =>
    [
        "mambart convert mamba-130m-hf -o mamba-130m.gguf --type Q8_0",
        "mambart convert mamba-130m-hf -o mamba-130m-q4.gguf --type Q4_K_M --policy llama",
        "mambart convert mamba-130m -o mamba-130m.gguf --tokenizer gpt-neox-20b",
        "mambart run -m mamba-130m.gguf --raw -p \"Hello\" -n 50",
    ];

    protected override int Run(ParseResult arguments)
    {
        string output = arguments.GetValue(_output)!;   // required
        var options = new ConversionOptions
        {
            Target = arguments.GetValue(_type) is string type ? QuantTarget.ByName(type)! : QuantTarget.F16,   // one of the choices
            Policy = StorageChoice.Of(arguments.GetValue(_policy)),
            Tokenizer = arguments.GetValue(_tokenizer),
            Name = arguments.GetValue(_name),
            License = arguments.GetValue(_license),
            Threads = (int)(arguments.GetValue(_threads) ?? 0),
        };
        Outputs.Check([output], []);   // what the folder holds is known to the converter
        CancellationToken cancel = Terminal.Interrupt.Begin();
        ConversionReport? done = null;
        Progress.Run(Terminal, "Converting", report =>
            done = ModelConverter.Convert(arguments.GetValue(_folder)!, output, options, new TensorProgress(report), cancel));
        Write(done!, options, output, Json(arguments));   // set, or an exception has left
        return Program.Ok;
    }

    private void Write(ConversionReport done, ConversionOptions options, string output, bool asJson)
    {
        foreach (string note in done.Notes) Terminal.Note(note);
        StorageChoice.NoteOtherwise(Terminal, done.StoredOtherwise);
        if (!asJson)
        {
            Terminal.Note($"Wrote {output}: {done.Architecture}, {done.Tensors} tensors, {Show.Bytes(done.FileBytes)}.");
            return;
        }
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("output", output);
        json.Writer.WriteString("architecture", done.Architecture);
        json.Writer.WriteString("target", options.Target.Name);
        json.Writer.WriteString("policy", StorageChoice.NameOf(options.Policy));
        json.Writer.WriteNumber("tensors", done.Tensors);
        json.Writer.WriteNumber("bytes", done.FileBytes);
        json.Writer.WriteStartArray("stored_otherwise");
        foreach (StoredOtherwise tensor in done.StoredOtherwise)
        {
            json.Writer.WriteStartObject();
            json.Writer.WriteString("tensor", tensor.Tensor);
            json.Writer.WriteString("asked", tensor.Asked.Name);
            json.Writer.WriteString("type", tensor.Stored.Name);
            json.Writer.WriteEndObject();
        }
        json.Writer.WriteEndArray();
        json.Strings("notes", done.Notes);
        json.Writer.WriteEndObject();
        json.End();
    }
}
