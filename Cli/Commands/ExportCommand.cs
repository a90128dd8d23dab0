using System.CommandLine;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Makes a folder as model hubs have them of a GGUF file: the way back of convert.</summary>
internal sealed class ExportCommand : Verb
{
    private readonly Argument<string> _model = new("FILE.gguf") { Description = "The model." };
    private readonly Option<string?> _output = OptionOf.Text("--output", ["-o"], "DIR", "The folder to write; a new or empty one, unless --force is given.");
    private readonly Option<string?> _type = OptionOf.Choice("--type", ["--outtype"], "How the large matrices are stored; as they are when not given, and F16 where they are quantized.", ["F16", "BF16", "F32"]);
    private readonly OverrideArguments _overrides = new();
    private readonly Option<bool> _force = OptionOf.Flag("--force", "Replaces files in the folder; those of other names stay.");

    public ExportCommand(Terminal terminal, Option<bool> json) : base("export", "Makes a folder of safetensors of a GGUF file.", terminal, json)
    {
        Arguments.Add(_model);
        _output.Required = true;
        Options.Add(_output);
        Options.Add(_type);
        Options.Add(_force);
        _overrides.AddTo(this);
    }

    public override string[] Examples =>
    [
        "mambart export model.gguf -o model-hf",
        "mambart export model-q4_0.gguf -o model-hf --type BF16 --force",
    ];

    protected override int Run(ParseResult arguments)
    {
        string output = arguments.GetValue(_output)!;   // required
        bool force = arguments.GetValue(_force);
        WholeFolder.EnsureWritable(output, replace: true);   // and what a killed run left there is gone
        if (!force && Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
            throw new IOException($"The folder '{output}' is not empty; choose another, or give --force to replace files in it.");
        var options = new ExportOptions { Type = arguments.GetValue(_type) is string type ? QuantTypes.ByName(type) : null, Replace = force, Overrides = _overrides.Read(arguments) };
        CancellationToken cancel = Terminal.Interrupt.Begin();
        ExportReport? done = null;
        Progress.Run(Terminal, "Exporting", report =>
            done = ModelExporter.Export(arguments.GetValue(_model)!, output, options, new TensorProgress(report), cancel));
        Write(done!, output, Json(arguments));   // set, or an exception has left
        return Program.Ok;
    }

    private void Write(ExportReport done, string output, bool asJson)
    {
        foreach (string note in done.Notes) Terminal.Note(note);
        if (!asJson)
        {
            Terminal.Note($"Wrote {output}: {done.ModelType}, {done.Tensors} tensors, {Show.Bytes(done.Bytes)} in {string.Join(", ", done.Files)}.");
            return;
        }
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("output", output);
        json.Writer.WriteString("model_type", done.ModelType);
        json.Writer.WriteNumber("tensors", done.Tensors);
        json.Writer.WriteNumber("bytes", done.Bytes);
        json.Strings("files", done.Files);
        json.Strings("notes", done.Notes);
        json.Writer.WriteEndObject();
        json.End();
    }
}
