using System.Text.Encodings.Web;
using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Turns GGUF files into checkpoints as transformers reads them: model.safetensors, config.json and the tokenizer's files.</summary>
/// <remarks>The way back of <see cref="ModelConverter"/>. A folder made of a file of float types converts to a file with the same tensors, bit for bit, if A came from a checkpoint of float32.</remarks>
public static class ModelExporter
{
    private const string WeightsName = "model.safetensors";

    /// <summary>Exports a model. Tensors are streamed; the same input and options give the same bytes.</summary>
    /// <param name="modelPath">The GGUF file; it is only read.</param>
    /// <param name="directory">The folder to write; it appears when it is complete, and an error leaves what was there.</param>
    /// <param name="options">What to make.</param>
    /// <param name="progress">Told after each tensor: how many are done, of how many, and its name.</param>
    /// <param name="cancel">Stops within about the time of some rows.</param>
    /// <exception cref="ArgumentException">The type is none of a checkpoint, or the model would be replaced.</exception>
    /// <exception cref="IOException">A file is missing, cannot be read or cannot be written, or the folder has files.</exception>
    /// <exception cref="FormatException">The file is damaged, or a weight cannot be stored; the message names the key or tensor.</exception>
    /// <exception cref="NotSupportedException">The architecture is not one that MambaRT knows.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static ExportReport Export(string modelPath, string directory, ExportOptions options,
        IProgress<(int Done, int Total, string Tensor)>? progress = null, CancellationToken cancel = default)
    {
        if (options.Type is QuantType type && type != QuantTypes.F32 && type != QuantTypes.F16 && type != QuantTypes.BF16)
            throw new ArgumentException($"Checkpoints hold F32, F16 or BF16, not {type}; choose one of these.", nameof(options));
        WholeFolder.EnsureWritable(directory, options.Replace);
        using GgufFile file = GgufFile.Open(modelPath, new GgufOpenOptions { Overrides = options.Overrides });
        WholeFolder.EnsureNoInput(directory, file.PartPaths, [WeightsName]);   // before the work; all names are looked at after it
        Architecture architecture = Architecture.Of(file.Metadata, options.Architectures);
        Plan plan = Architecture.Record(file.Metadata, file, options.Architectures);   // refuses what does not fit together
        var model = new ExportedModel(file);
        string modelType = architecture.Import.ModelTypeOf?.Invoke(model) ?? architecture.Import.ModelTypes[0];
        IReadOnlyList<TensorExport> tensors = Map(file, architecture, plan, options.Type);
        SafetensorsWriter weights = Announce(tensors, progress, cancel);
        List<string> notes = [];
        (string, long)[] files = [];
        WholeFolder.Write(directory, options.Replace, file.PartPaths, folder =>
        {
            WriteFile(folder, WeightsName, weights.WriteTo);
            WriteJson(folder, "config.json", json =>
            {
                json.WriteString("model_type", modelType);
                architecture.Import.WriteConfig(model, json);
                WriteConfig(json, file, tensors.First(t => t.Name == TensorRule.Embedding).Type);
            });
            TokenizerExport.Write(folder, file.Metadata, notes);
            files = [.. new DirectoryInfo(folder).GetFiles().Select(f => (f.Name, f.Length)).Order()];
        });
        return new ExportReport
        {
            ModelType = modelType,
            Tensors = tensors.Count,
            Files = [.. files.Select(f => f.Item1)],
            Bytes = files.Sum(f => f.Item2),
            Notes = notes,
        };
    }

    /// <summary>Writes a JSON object into a file of a folder.</summary>
    internal static void WriteJson(string folder, string name, Action<Utf8JsonWriter> write) => WriteFile(folder, name, stream =>
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
    });

    /// <summary>Writes a file of a folder and flushes it to the disk.</summary>
    internal static void WriteFile(string folder, string name, Action<Stream> write)
    {
        using var stream = new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    private static List<TensorExport> Map(GgufFile file, Architecture architecture, Plan plan, QuantType? asked)
    {
        var tensors = new List<TensorExport>();
        int layers = new ModelMetadata(file.Metadata).Size("block_count");
        foreach ((TensorRule rule, string hub, string gguf) in TensorRule.Expand(architecture.Import.Tensors, layers))
            if (file.TryGet(gguf, out TensorView view)) tensors.Add(new TensorExport(rule, file, gguf, hub, view, Type(plan, gguf, view, asked)));
        HashSet<string> known = [.. tensors.Select(tensor => tensor.Name)];
        return file.Tensors.FirstOrDefault(tensor => !known.Contains(tensor.Name)) is GgufTensorInfo other
            ? throw new FormatException($"{file.Path}: tensor '{HubConfig.Show(other.Name)}' has no place in a checkpoint of architecture '{architecture.Id}'; leaving it out would give wrong answers. Convert the model again.")
            : tensors;
    }

    private static QuantType Type(Plan plan, string name, in TensorView view, QuantType? asked)
    {
        if (!plan.TryFind(name, out WeightSpec weight) || weight.IsDecoded) return QuantTypes.F32;
        return asked ?? (view.Type == QuantTypes.F32 || view.Type == QuantTypes.BF16 ? view.Type : QuantTypes.F16);
    }

    private static SafetensorsWriter Announce(IReadOnlyList<TensorExport> tensors, IProgress<(int Done, int Total, string Tensor)>? progress, CancellationToken cancel)
    {
        var writer = new SafetensorsWriter();
        var encoder = new RowEncoder(threads: 0, cancel);
        for (int i = 0; i < tensors.Count; i++)
        {
            TensorExport tensor = tensors[i];
            int done = i + 1;
            writer.AddTensor(tensor.HubName, tensor.Type, tensor.Shape, stream =>
            {
                tensor.File.EnsureReadable();
                encoder.Write(tensor, [], stream);
                progress?.Report((done, tensors.Count, tensor.Name));
            });
        }
        return writer;
    }

    private static void WriteConfig(Utf8JsonWriter json, GgufFile file, QuantType type)
    {
        string name = type == QuantTypes.F32 ? "float32" : type == QuantTypes.F16 ? "float16" : "bfloat16";
        json.WriteString("torch_dtype", name);   // up to transformers 4
        json.WriteString("dtype", name);
        TokenizerExport.WriteIds(json, file.Metadata, ends: 1);
    }
}
