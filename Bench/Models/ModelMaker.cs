using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>Writes models of published shapes with seeded random weights: ordinary GGUF files to measure with, without a download.</summary>
/// <remarks>Values are scaled so that logits stay finite and of order one; the text such a model writes means nothing.</remarks>
public static class ModelMaker
{
    /// <summary>Standard deviation of a weight, times the square root of the row's length.</summary>
    private const double Gain = 0.5;

    private const int PieceBytes = 1 << 20;

    /// <summary>Names of the storage types.</summary>
    public static IReadOnlyList<string> Types { get; } = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K"];

    /// <summary>Writes a model; <paramref name="path"/> is replaced when the file is complete.</summary>
    /// <param name="shape">Its sizes.</param>
    /// <param name="type">One of <see cref="Types"/>.</param>
    /// <param name="path">The .gguf file.</param>
    /// <param name="seed">The same seed gives the same file.</param>
    /// <param name="report">Told the share done, 0 to 1; may be null.</param>
    /// <param name="cancel">Stops within about the time of a megabyte; nothing is left behind.</param>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static void Write(ModelShape shape, string type, string path, ulong seed = 1, Action<double>? report = null, CancellationToken cancel = default)
    {
        QuantTarget target = Types.Contains(type, StringComparer.OrdinalIgnoreCase) && QuantTarget.ByName(type) is { } known ? known
            : throw new ArgumentException($"A model cannot be made in '{type}'; choose {string.Join(", ", Types)}.", nameof(type));
        GgufMetadata metadata = Metadata(shape, target);
        Plan plan = shape.Record(metadata);
        var writer = new GgufWriter(metadata);
        var random = new RandomBits(seed);
        List<(ModelTensor Tensor, QuantType Type, long Bytes)> tensors = [];
        foreach (ModelTensor tensor in ModelTensor.Of(shape.Definition, metadata, plan))
        {
            QuantType stored = TypeOf(plan, tensor.Weight, target);
            tensors.Add((tensor, stored, tensor.Weight.Count / stored.BlockLength * stored.BlockBytes));
        }
        long total = tensors.Sum(t => t.Bytes), done = 0;
        foreach ((ModelTensor tensor, QuantType stored, long bytes) in tensors)
            writer.AddTensor(tensor.Weight.Name, stored, tensor.Dimensions, stream =>
            {
                if (tensor.Weight.IsDecoded) WriteFloats(stream, tensor, random);
                else WriteMatrix(stream, tensor, stored, bytes, random, cancel);
                report?.Invoke((done += bytes) / (double)total);
            });
        writer.Write(path);
    }

    /// <summary>What a weight is stored in, as llama.cpp's quantizer chooses.</summary>
    private static QuantType TypeOf(Plan plan, in WeightSpec weight, QuantTarget target) =>
        QuantPolicies.Choose(QuantPolicy.Llama, target, plan, weight) is { } chosen ? QuantPolicies.Fit(chosen, plan.ColumnsTogether(weight.Name)) : QuantTypes.F32;

    private static GgufMetadata Metadata(ModelShape shape, QuantTarget target)
    {
        var metadata = new GgufMetadata(shape.Name);
        metadata.Set("general.architecture", shape.Architecture);
        metadata.Set("general.name", $"{shape.Name} {target.Name} (random weights)");
        metadata.Set("general.file_type", target.FileType);
        metadata.Set("general.quantization_version", 2u);
        shape.WriteKeys(metadata);
        SyntheticVocabulary.Write(metadata, shape.Vocabulary);
        return metadata;
    }

    private static void WriteMatrix(Stream stream, ModelTensor tensor, QuantType type, long bytes, RandomBits random, CancellationToken cancel)
    {
        var blocks = new RandomBlocks(type, Gain / Math.Sqrt(tensor.Dimensions[0]), random);
        byte[] piece = new byte[Math.Min(bytes, PieceBytes / type.BlockBytes * type.BlockBytes)];
        for (long left = bytes; left > 0;)
        {
            cancel.ThrowIfCancellationRequested();
            Span<byte> part = piece.AsSpan(0, (int)Math.Min(left, piece.Length));
            blocks.Fill(part);
            stream.Write(part);
            left -= part.Length;
        }
    }

    private static void WriteFloats(Stream stream, ModelTensor tensor, RandomBits random)
    {
        var values = new float[tensor.Weight.Count];
        for (int i = 0; i < values.Length; i++) values[i] = (float)Value(tensor, i, random);
        stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
    }

    private static double Value(ModelTensor tensor, int index, RandomBits random) => tensor.Content switch
    {
        TensorContent.Ones => 1,
        TensorContent.Zeros => 0,
        TensorContent.Taps => random.Unit() - 0.5,
        TensorContent.Decay => -1 - index % tensor.Dimensions[0],
        TensorContent.HeadDecay => -1 - 15 * random.Unit(),
        TensorContent.TimeStep => InverseSoftplus(0.001 * Math.Pow(100, random.Unit())),
        _ => throw new NotSupportedException($"Made models have no float values for {tensor.Content} ('{tensor.Weight.Name}'); add them here."),
    };

    private static double InverseSoftplus(double y) => Math.Log(Math.Exp(y) - 1);
}
