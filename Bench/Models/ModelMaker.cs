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

    /// <summary>Names and numbers (general.file_type) of the storage types, as llama.cpp has them.</summary>
    private static readonly (string Name, uint FileType, QuantType Type)[] Mixes =
    [
        ("F32", 0, QuantTypes.F32),
        ("F16", 1, QuantTypes.F16),
        ("BF16", 32, QuantTypes.BF16),
        ("Q8_0", 7, QuantTypes.Q8_0),
        ("Q4_0", 2, QuantTypes.Q4_0),
        ("Q4_K_M", 15, QuantTypes.Q4_K),
        ("Q5_K_M", 17, QuantTypes.Q5_K),
        ("Q6_K", 18, QuantTypes.Q6_K),
    ];

    /// <summary>Names of the storage types.</summary>
    public static IReadOnlyList<string> Types { get; } = [.. Mixes.Select(m => m.Name)];

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
        int mix = Array.FindIndex(Mixes, m => m.Name.Equals(type, StringComparison.OrdinalIgnoreCase));
        if (mix < 0) throw new ArgumentException($"A model cannot be made in '{type}'; choose {string.Join(", ", Types)}.", nameof(type));
        GgufMetadata metadata = Metadata(shape, Mixes[mix].Name, Mixes[mix].FileType);
        var writer = new GgufWriter(metadata);
        var random = new RandomBits(seed);
        List<(ModelTensor Tensor, QuantType Type, long Bytes)> tensors = [];
        foreach (ModelTensor tensor in ModelTensor.Of(shape))
        {
            QuantType stored = TypeOf(tensor, Mixes[mix].Type);
            tensors.Add((tensor, stored, tensor.Count / stored.BlockLength * stored.BlockBytes));
        }
        long total = tensors.Sum(t => t.Bytes), done = 0;
        foreach ((ModelTensor tensor, QuantType stored, long bytes) in tensors)
            writer.AddTensor(tensor.Name, stored, tensor.Dimensions, stream =>
            {
                if (tensor.Content is TensorContent.Projection or TensorContent.Head) WriteMatrix(stream, tensor, stored, bytes, random, cancel);
                else WriteFloats(stream, tensor, random);
                report?.Invoke((done += bytes) / (double)total);
            });
        writer.Write(path);
    }

    /// <summary>
    /// What a matrix is stored in. As llama.cpp's quantizer does: the head in Q6_K (Q8_0 in a Q8_0 file), and where a row is not whole blocks a
    /// type that fits; where llama.cpp has no such type, F16.
    /// </summary>
    internal static QuantType TypeOf(ModelTensor tensor, QuantType type)
    {
        if (tensor.Content is not (TensorContent.Projection or TensorContent.Head)) return QuantTypes.F32;
        long columns = tensor.Dimensions[0];
        if (type.BlockLength == 1) return type;
        if (tensor.Content == TensorContent.Head && type != QuantTypes.Q8_0) type = QuantTypes.Q6_K;
        if (columns % type.BlockLength == 0) return type;
        if (columns % 32 != 0) return QuantTypes.F16;
        return type == QuantTypes.Q4_K ? QuantTypes.Q5_0 : type == QuantTypes.Q5_K ? QuantTypes.Q5_1 : QuantTypes.Q8_0;
    }

    private static GgufMetadata Metadata(ModelShape shape, string type, uint fileType)
    {
        var metadata = new GgufMetadata(shape.Name);
        string id = shape.Architecture;
        metadata.Set("general.architecture", id);
        metadata.Set("general.name", $"{shape.Name} {type} (random weights)");
        metadata.Set("general.file_type", fileType);
        metadata.Set("general.quantization_version", 2u);
        // Context length, feed-forward width and heads mean nothing here; llama.cpp's loader asks for them.
        metadata.Set(id + ".context_length", 1u << 20);
        metadata.Set(id + ".feed_forward_length", 0u);
        metadata.Set(id + ".attention.head_count", 0u);
        metadata.Set(id + ".embedding_length", (uint)shape.DModel);
        metadata.Set(id + ".block_count", (uint)shape.Layers);
        metadata.Set(id + ".vocab_size", (uint)shape.Vocabulary);
        metadata.Set(id + ".attention.layer_norm_rms_epsilon", 1e-5f);
        metadata.Set(id + ".ssm.conv_kernel", (uint)ModelShape.DConv);
        metadata.Set(id + ".ssm.inner_size", (uint)shape.DInner);
        metadata.Set(id + ".ssm.state_size", (uint)shape.DState);
        metadata.Set(id + ".ssm.time_step_rank", (uint)shape.TimeStepRank);
        if (shape.IsMamba2) metadata.Set(id + ".ssm.group_count", (uint)shape.Groups);
        else if (shape.DtBCNorm) metadata.Set(id + ".ssm.dt_b_c_rms", true);
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
        var values = new float[tensor.Count];
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
        _ => InverseSoftplus(0.001 * Math.Pow(100, random.Unit())),
    };

    private static double InverseSoftplus(double y) => Math.Log(Math.Exp(y) - 1);
}
