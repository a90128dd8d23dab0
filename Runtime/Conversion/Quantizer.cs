using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Rewrites a model with its weights stored as other types.</summary>
/// <remarks>
/// Memory, beyond the mapped input: 8 MiB of encoded rows (or one row, if that is larger) and a row of float32 for each thread, whatever the model's
/// size. The same input and options give the same bytes with any number of threads.
/// </remarks>
public static class Quantizer
{
    /// <summary>Chooses the type of every tensor and checks what can be known before anything is written.</summary>
    /// <param name="file">A model that MambaRT runs, whole or split.</param>
    /// <param name="options">What to make.</param>
    /// <exception cref="ArgumentException">An override matches nothing, or its type cannot be written.</exception>
    /// <exception cref="FormatException">The model is damaged, or the importance matrix is another model's.</exception>
    /// <exception cref="NotSupportedException">The architecture or the tokenizer is unknown, or weights are quantized already and that was not allowed.</exception>
    public static QuantizationPlan Plan(GgufFile file, QuantizationOptions options)
    {
        Plan network = Architecture.Record(file.Metadata, file, options.Architectures);   // refuses what would not run afterwards
        Architecture.RefuseUnread(file.Metadata, file.Tensors, network);
        ModelTokens.TokenizerOf(file.Metadata, network);
        var used = new HashSet<QuantOverride>();
        var tensors = new List<PlannedTensor>();
        foreach (GgufTensorInfo tensor in file.Tensors) tensors.Add(Plan(file, tensor, network, options, used));
        foreach (QuantOverride unused in options.Overrides.Where(o => !used.Contains(o)))
            throw new ArgumentException($"The override '{unused.Pattern}={unused.Type}' matches no weight matrix of {file.Path}; 'mambart info' lists their names.", nameof(options));
        return new QuantizationPlan(tensors, Metadata(file, tensors, options));
    }

    /// <summary>Writes the model.</summary>
    /// <param name="file">The model the plan was made for.</param>
    /// <param name="plan">What to write.</param>
    /// <param name="outputPath">The file to write; it appears when it is complete, and an error leaves what was there.</param>
    /// <param name="options">The options the plan was made with.</param>
    /// <param name="progress">Told the share done, 0 to 1, from the calling thread; may be null.</param>
    /// <param name="cancel">Stops within about the time of some rows.</param>
    /// <exception cref="ArgumentException">The output would replace the input or the importance matrix.</exception>
    /// <exception cref="FormatException">A weight is not finite or too large for its type; the message names the tensor.</exception>
    /// <exception cref="IOException">The file cannot be written, or the input changed meanwhile.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static void Write(GgufFile file, QuantizationPlan plan, string outputPath, QuantizationOptions options, Action<double>? progress = null, CancellationToken cancel = default)
    {
        WholeFile.EnsureWritable(outputPath, [.. file.PartPaths, .. options.Importance is { } matrix ? [matrix.Subject] : Array.Empty<string>()]);
        long total = plan.Tensors.Sum(t => t.Values), done = 0;
        var writer = new GgufWriter(plan.Metadata);
        var encoder = new RowEncoder(options.Threads, cancel);
        foreach (PlannedTensor tensor in plan.Tensors)
            writer.AddTensor(tensor.Source.Name, tensor.Stored, [.. tensor.Source.Dimensions], stream =>
            {
                file.EnsureReadable();
                file.TryGet(tensor.Source.Name, out TensorView view);
                encoder.Write(new PlannedRows(file, tensor, view), Importance(tensor.Source, options), stream, rows => progress?.Invoke((done + (double)rows * view.Columns) / total));
                done += tensor.Values;
                file.EnsureReadable();   // what was read was still the file's
            });
        writer.Write(outputPath);
    }

    private static PlannedTensor Plan(GgufFile file, GgufTensorInfo tensor, Plan network, QuantizationOptions options, HashSet<QuantOverride> used)
    {
        network.TryFind(tensor.Name, out WeightSpec weight);   // there: no tensor is unread
        if (QuantPolicies.Choose(options.Policy, options.Target, network, weight) is not { } asked)
            return new PlannedTensor(tensor, weight.Role, tensor.Type, tensor.Type);
        foreach (QuantOverride choice in options.Overrides)
        {
            if (!choice.Matches(tensor.Name)) continue;
            if (!choice.Type.CanEncode) throw new ArgumentException($"MambaRT reads {choice.Type} but does not write it; choose one of {string.Join(", ", QuantTypes.All.Where(t => t.CanEncode))}.", nameof(options));
            used.Add(choice);
            asked = choice.Type;
        }
        QuantType stored = QuantPolicies.Fit(asked, network.ColumnsTogether(tensor.Name));
        if (stored != tensor.Type && tensor.Type.BlockLength > 1 && !options.AllowRequantize)
            throw new NotSupportedException($"{file.Path}: tensor '{tensor.Name}' is {tensor.Type} already, and quantizing again would add to its error; start from the F32, F16 or BF16 file, or say --allow-requantize.");
        Importance(tensor, options);   // refuses another model's
        return new PlannedTensor(tensor, weight.Role, asked, stored);
    }

    private static ReadOnlySpan<float> Importance(GgufTensorInfo tensor, QuantizationOptions options)
    {
        if (options.Importance is not { } matrix || !matrix.TryGet(tensor.Name, out float[] importance)) return [];
        return importance.Length == tensor.Columns ? importance
            : throw new FormatException($"{matrix.Subject}: there are {importance.Length} values for tensor '{tensor.Name}', whose rows have {tensor.Columns}; use the importance matrix of this model.");
    }

    private static GgufMetadata Metadata(GgufFile file, List<PlannedTensor> tensors, QuantizationOptions options)
    {
        var metadata = new GgufMetadata(file.Path);
        foreach ((string key, GgufValue value) in file.Metadata.Entries) metadata.Set(key, value);
        metadata.Set("general.file_type", options.Target.FileType);
        metadata.Set("general.quantization_version", 2u);
        if (options.Importance is not { } matrix) return metadata;
        int entries = tensors.Count(t => matrix.TryGet(t.Source.Name, out _));
        if (entries == 0)
            throw new FormatException($"{matrix.Subject}: none of its {matrix.Count} entries says anything of a tensor of {file.Path}: other names, or zeros alone; use the importance matrix of this model.");
        metadata.Set("quantize.imatrix.file", Path.GetFileName(matrix.Subject));
        if (matrix.Datasets.Count > 0) metadata.Set("quantize.imatrix.dataset", Path.GetFileName(matrix.Datasets[^1]));
        metadata.Set("quantize.imatrix.entries_count", (uint)entries);
        metadata.Set("quantize.imatrix.chunks_count", (uint)matrix.Chunks);
        return metadata;
    }

    /// <summary>A tensor of the source on its way into the new file; copied where it keeps its type.</summary>
    private sealed class PlannedRows(GgufFile file, PlannedTensor tensor, TensorView view) : ITensorRows
    {
        public string Subject => $"{file.Path}: tensor '{tensor.Source.Name}'";

        public QuantType Type => tensor.Stored;

        public int Rows => view.Rows;

        public int Columns => view.Columns;

        public void ReadRow(int row, Span<float> values) => view.DecodeRow(row, values);

        public ReadOnlySpan<byte> StoredRow(int row) => view.Type == tensor.Stored ? view.Row(row) : default;
    }
}
