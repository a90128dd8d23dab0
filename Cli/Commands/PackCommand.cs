using System.CommandLine;
using System.Runtime.CompilerServices;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Makes one file of this program and a model.</summary>
internal sealed class PackCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly Option<string?> _output = OptionOf.Text("--output", ["-o"], "FILE", "The program to write.");

    public PackCommand(Terminal terminal, Option<bool> json)
        : base("pack", "Makes one file of this program and a model, which chats when started without arguments. Do not run 'strip' on it: that removes the model without a word.", terminal, json)
    {
        _model.AddFileTo(this);
        _output.Required = true;
        Options.Add(_output);
    }

    public override string[] Examples => ["mambart pack -m model.gguf -o mychat", "./mychat"];

    protected override int Run(ParseResult arguments)
    {
        string output = arguments.GetValue(_output)!;   // required
        if (_model.HasOverrides(arguments))
            throw new UsageException("--override-kv would be lost, as the model is packed as its file is; write the key into a file first with 'mambart quantize --override-kv', which may keep the type.");
        ModelFile model = _model.Locate(arguments);
        string executable = Executable();
        Check(arguments, model, executable, output);
        CancellationToken cancel = Terminal.Interrupt.Begin();
        long size = 0;
        Progress.Run(Terminal, "Packing", report => size = Packed.Write(executable, model, output, report, cancel));
        if (Json(arguments)) WriteJson(output, size);
        else Terminal.Note($"Wrote {output}, {Show.Bytes(size)}; start it without arguments to chat.");
        return Program.Ok;
    }

    private void Check(ParseResult arguments, ModelFile model, string executable, string output)
    {
        using GgufFile file = model.Open();
        Outputs.Check([output], [executable, .. file.PartPaths]);
        if (file.Tensors.Any(tensor => tensor.Part > 0))
            throw new NotSupportedException($"{model.Path}: the model lies in several files; merge them into one before packing.");
        using OpenedModel runs = _model.Open(arguments, Terminal);   // refuses what the friend could not run
        if (!runs.Model.Tokenizer.HasVocabulary)
            throw new NotSupportedException($"{model.Path}: the model has no vocabulary and cannot chat; convert it with its tokenizer before packing.");
    }

    private static string Executable()
    {
        if (RuntimeFeature.IsDynamicCodeSupported || Environment.ProcessPath is not { } path)
            throw new NotSupportedException("Packing copies this program, which must be the published one; make it with 'dotnet publish Cli'.");
        return path;
    }

    private void WriteJson(string output, long size)
    {
        var json = new JsonOutput(Terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("output", output);
        json.Writer.WriteNumber("bytes", size);
        json.Writer.WriteEndObject();
        json.End();
    }
}
