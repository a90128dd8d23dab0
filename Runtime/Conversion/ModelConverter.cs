using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Turns checkpoints as model hubs store them (config.json, safetensors or PyTorch weights, tokenizer.json) into GGUF files.</summary>
public static class ModelConverter
{
    /// <summary>Converts a folder. Tensors are streamed; the same input and options give the same bytes, and those of converting to F32 and quantizing that.</summary>
    /// <param name="directory">The folder; it is only read.</param>
    /// <param name="outputPath">The file to write; it appears when it is complete, and an error leaves what was there.</param>
    /// <param name="options">What to make.</param>
    /// <param name="progress">Told after each tensor: how many are done, of how many, and its name.</param>
    /// <param name="cancel">Stops within about the time of some rows.</param>
    /// <exception cref="ArgumentException">The output is a folder or would replace an input.</exception>
    /// <exception cref="IOException">A file is missing, cannot be read or cannot be written.</exception>
    /// <exception cref="FormatException">The checkpoint is damaged, incomplete, or its parts disagree; the message names the key or tensor.</exception>
    /// <exception cref="NotSupportedException">The architecture, a variant of it, the tokenizer or the storage is not one that MambaRT converts.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static ConversionReport Convert(string directory, string outputPath, ConversionOptions options,
        IProgress<(int Done, int Total, string Tensor)>? progress = null, CancellationToken cancel = default)
    {
        HubCheckpoint.CheckOutput(outputPath);
        WholeFile.EnsureWritable(outputPath, [.. HubCheckpoint.FilesOf(directory), .. options.Tokenizer is { } from ? TokenizerImport.FilesOf(from) : []]);
        using HubCheckpoint checkpoint = HubCheckpoint.Open(directory, options.Architectures);
        GgufMetadata metadata = Metadata(checkpoint, options);
        IReadOnlyList<TensorImport> tensors = TensorMapper.Map(checkpoint, metadata);
        Plan plan = Record(checkpoint, metadata, tensors, options);
        tensors = [.. tensors.Select(tensor => Typed(tensor, plan, options))];
        List<string> notes = TokenizerImport.Write(checkpoint, options.Tokenizer, metadata);
        if (checkpoint.Config.Flag("tie_word_embeddings", missing: false) && tensors.FirstOrDefault(tensor => tensor.Rule.Presence == TensorPresence.UntiedHead) is TensorImport head)
            notes.Add($"{Path.GetFileName(checkpoint.Config.Path)} says that the head is the embedding ('tie_word_embeddings'), but tensor '{head.Source.Name}' differs from it; it is kept as the head, as in llama.cpp.");
        notes.AddRange(LlamaCppDifferences.Find(metadata, tensors));

        var writer = new GgufWriter(metadata);
        var encoder = new RowEncoder(options.Threads, cancel);
        for (int i = 0; i < tensors.Count; i++)
        {
            TensorImport tensor = tensors[i];
            int done = i + 1;
            writer.AddTensor(tensor.Name, tensor.Type, tensor.Dimensions, stream =>
            {
                checkpoint.Weights.EnsureReadable();
                encoder.Write(tensor, [], stream);
                progress?.Report((done, tensors.Count, tensor.Name));
            });
        }
        writer.Write(outputPath);
        return new ConversionReport
        {
            Architecture = checkpoint.Architecture.Id,
            Tensors = tensors.Count,
            FileBytes = new FileInfo(outputPath).Length,
            StoredOtherwise = [.. tensors.Where(t => t.Type != t.Asked)
                .Select(t => new StoredOtherwise(t.Name, t.Columns, t.Asked, t.Type))],
            Notes = notes,
        };
    }

    private static GgufMetadata Metadata(HubCheckpoint checkpoint, ConversionOptions options)
    {
        var metadata = new GgufMetadata(checkpoint.Weights.Path);
        metadata.Set("general.architecture", checkpoint.Architecture.Id);
        metadata.Set("general.type", "model");
        metadata.Set("general.name", options.Name ?? checkpoint.Name);
        if (options.License is not null) metadata.Set("general.license", options.License);
        checkpoint.Architecture.Import.WriteKeys(checkpoint.Config, metadata);
        metadata.Set("general.file_type", options.Target.FileType);
        metadata.Set("general.quantization_version", 2u);
        return metadata;
    }

    /// <summary>Records the plan of the file to be written, so that what does not fit is refused before anything is written.</summary>
    private static Plan Record(HubCheckpoint checkpoint, GgufMetadata metadata, IReadOnlyList<TensorImport> tensors, ConversionOptions options)
    {
        TensorImport embedding = tensors.First(t => t.Name == TensorRule.Embedding);
        int rows = embedding.Rows, vocabulary = checkpoint.Config.Size("vocab_size");
        if (rows != vocabulary)
            throw new FormatException($"{embedding.Source.File}: tensor '{embedding.Source.Name}' has {rows} rows, but {vocabulary} are needed by key 'vocab_size' of {Path.GetFileName(checkpoint.Config.Path)}; use the one that belongs to the checkpoint.");
        try
        {
            return Architecture.Record(metadata, new ImportShapes(tensors), options.Architectures);
        }
        catch (FormatException e)
        {
            throw new FormatException($"The tensors do not fit config.json; use the one that belongs to the checkpoint. Found: {e.Message.Replace(" Re-convert the model.", "")}", e);
        }
    }

    /// <summary>Chooses how a tensor is stored.</summary>
    private static TensorImport Typed(TensorImport tensor, Plan plan, ConversionOptions options)
    {
        if (!plan.TryFind(tensor.Name, out WeightSpec weight))
            throw new FormatException($"{tensor.Subject} becomes '{tensor.Name}', which architecture '{plan.Architecture}' does not read with this config.json; leaving it out would give wrong answers. Use the config.json that belongs to the checkpoint.");
        QuantType asked = QuantPolicies.Choose(options.Policy, options.Target, plan, weight) ?? QuantTypes.F32;
        return tensor with { Asked = asked, Type = QuantPolicies.Fit(asked, plan.ColumnsTogether(tensor.Name)) };
    }

    /// <summary>The tensors under their new names: their shapes are those of the file to be. Values are not read here, and there are none to be read.</summary>
    private sealed class ImportShapes(IReadOnlyList<TensorImport> tensors) : IWeightSource, IDisposable
    {
        private readonly Dictionary<string, CheckpointMatrix> _matrices = tensors.ToDictionary(t => t.Name, t => t.Values, StringComparer.Ordinal);

        public bool TryGet(string name, out TensorView view)
        {
            bool found = _matrices.TryGetValue(name, out CheckpointMatrix? matrix);
            view = matrix is null ? default : new TensorView(matrix.Type, matrix.Rows, matrix.Columns, 0, this);
            return found;
        }

        public void EnsureReadable()
        {
        }

        public void Dispose()
        {
        }
    }
}
