using System.Globalization;
using MambaRT.Bench;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A tensor of a tiny model: its values are spread evenly between two ends.</summary>
/// <param name="Name">Its GGUF name.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Values in a row.</param>
/// <param name="Low">The lowest value.</param>
/// <param name="High">The highest value.</param>
/// <param name="Projection">Whether it is stored in the model's type where whole blocks fit; else float32.</param>
internal sealed record TinyTensor(string Name, int Rows, int Columns, float Low, float High, bool Projection = false);

/// <summary>A tiny model with seeded weights in memory.</summary>
internal sealed record TinyWeights(GgufMetadata Metadata, MemoryWeights Weights) : IDisposable
{
    public void Dispose() => Weights.Dispose();
}

/// <summary>Tiny models of every architecture: the same weights at every call.</summary>
internal static class TinyModels
{
    /// <summary>Token ids run below it.</summary>
    public const int Vocabulary = 96;

    private const int DModel = 64, Layers = 2, DConv = 4;

    private const string Head = "output.weight", ConvBias = "blk.{i}.ssm_conv1d.bias";

    /// <summary>Every model. No size is a multiple of every vector width; the ranks are no whole blocks.</summary>
    private static readonly Kind[] Kinds =
    [
        new("mamba-tied", "mamba", [ConvBias], Mamba(norms: false)),
        new("mamba-untied-biases", "mamba", [Head, ConvBias, "blk.{i}.ssm_in.bias", "blk.{i}.ssm_out.bias"], Mamba(norms: false)),
        new("falcon", "mamba", [Head, ConvBias], Mamba(norms: true)),
        new("mamba2-g1", "mamba2", [ConvBias], Mamba2(dState: 32, groups: 1)),
        new("mamba2-g3", "mamba2", [ConvBias], Mamba2(dState: 16, groups: 3)),
        new("mlp", "mlp", [ConvBias], [.. Mamba2(dState: 16, groups: 2), ("feed_forward_length", 96u)]),
    ];

    /// <summary>The architectures there are, and one that only tests know.</summary>
    public static IReadOnlyList<Architecture> Architectures { get; } = [.. Architecture.All, new MlpArchitecture()];

    /// <summary>Mamba-1 with a rank that a scan's kernel takes in, and every bias: for what joins ops. It is none of <see cref="Names"/>.</summary>
    public const string Ranked = "mamba-ranked";

    /// <summary>The same with so many columns of the residual, and so many channels.</summary>
    public static string RankedOf(int width, int inner) => $"{Ranked}-{width}x{inner}";

    /// <summary>What MambaRT runs: Mamba-1 with a tied head; untied with every bias; Falcon-Mamba's norms; Mamba-2 with one and with three groups.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Kinds.Where(k => Architecture.All.Any(a => a.Id == k.Architecture)).Select(k => k.Name)];

    /// <summary>These, and one of each architecture that only tests know.</summary>
    public static IReadOnlyList<string> AllNames { get; } = [.. Kinds.Select(k => k.Name)];

    /// <summary>Token <paramref name="index"/> of a stream.</summary>
    public static int Token(int index, int stream = 0) => (int)((uint)(index + 1) * 2654435761u + (uint)stream * 40503u >> 8) % Vocabulary;

    /// <summary>The first tokens of a stream.</summary>
    public static int[] Tokens(int count, int stream = 0) => [.. Enumerable.Range(0, count).Select(i => Token(i, stream))];

    /// <summary>The model's hyper-parameters.</summary>
    public static GgufMetadata Metadata(string name, int layers = Layers)
    {
        Kind kind = KindOf(name);
        var metadata = new GgufMetadata(name);
        metadata.Set("general.architecture", kind.Architecture);
        metadata.Set("general.name", name);
        foreach ((string key, object value) in Stack(layers).Concat(kind.Keys)) metadata.Set($"{kind.Architecture}.{key}", value);
        metadata.Set("tokenizer.ggml.model", "no_vocab");
        return metadata;
    }

    /// <summary>Keys without which the definition cannot be recorded: every number but those that count nothing.</summary>
    public static IReadOnlyList<string> NeededKeys(string name) =>
        [.. Stack(Layers).Concat(KindOf(name).Keys).Where(k => k.Value is not bool && k.Key is not ("vocab_size" or "ssm.group_count")).Select(k => k.Key)];

    /// <summary>Whether the model may do without a tensor that it has.</summary>
    public static bool MayBeAbsent(string name, string tensor) => KindOf(name).Optional.Contains(TensorRule.General(tensor));

    /// <summary>Every tensor of the model: what its definition asks for.</summary>
    public static IReadOnlyList<TinyTensor> Tensors(string name, int layers = Layers)
    {
        Kind kind = KindOf(name);
        GgufMetadata metadata = Metadata(name, layers);
        Architecture architecture = Architecture.Of(metadata, Architectures);
        Plan plan = architecture.Outline(metadata, Vocabulary, tensor => MayBeAbsent(name, tensor));
        return [.. ModelTensor.Of(architecture, metadata, plan).Select(Tiny)];
    }

    /// <summary>Metadata and weights in memory.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="type">Storage of embedding and projections.</param>
    /// <param name="edit">Replaces a tensor before it is made, or leaves it out by null.</param>
    /// <param name="layers">Layers it has.</param>
    public static TinyWeights Make(string name, QuantType type, Func<TinyTensor, TinyTensor?>? edit = null, int layers = Layers)
    {
        var weights = new MemoryWeights();
        foreach (TinyTensor original in Tensors(name, layers))
        {
            TinyTensor? tensor = edit is null ? original : edit(original);
            if (tensor is not null) weights.Add(tensor.Name, Storage(tensor, type), tensor.Rows, tensor.Columns, Values(tensor));
        }
        return new TinyWeights(Metadata(name, layers), weights);
    }

    /// <summary>The model with the first value of one tensor made another.</summary>
    public static TinyWeights WithOneChanged(string name, QuantType type, string changed)
    {
        var weights = new MemoryWeights();
        foreach (TinyTensor tensor in Tensors(name))
        {
            float[] values = Values(tensor);
            if (tensor.Name == changed) values[0] += (tensor.High - tensor.Low) / 4;
            weights.Add(tensor.Name, Storage(tensor, type), tensor.Rows, tensor.Columns, values);
        }
        return new TinyWeights(Metadata(name), weights);
    }

    /// <summary>Writes the model as a GGUF file, with an extra tensor of one value if one is named.</summary>
    public static void WriteFile(string path, string name, QuantType type, string? extra = null)
    {
        using TinyWeights model = Make(name, type);
        var writer = new GgufWriter(model.Metadata);
        foreach (TinyTensor tensor in Tensors(name))
        {
            if (!model.Weights.TryGet(tensor.Name, out TensorView view)) throw new InvalidOperationException(tensor.Name);
            writer.AddTensor(tensor.Name, view.Type, [tensor.Columns, tensor.Rows], stream =>
            {
                for (int r = 0; r < view.Rows; r++) stream.Write(view.Row(r));
            });
        }
        if (extra is not null) writer.AddTensor(extra, QuantTypes.F32, [1], stream => stream.Write(new byte[4]));
        writer.Write(path);
    }

    private static QuantType Storage(TinyTensor tensor, QuantType type) =>
        tensor.Projection && tensor.Columns % type.BlockLength == 0 ? type : QuantTypes.F32;

    private static TinyTensor Tiny(ModelTensor tensor)
    {
        int columns = (int)tensor.Dimensions[0], rows = tensor.Dimensions.Length > 1 ? (int)tensor.Dimensions[1] : 1;
        float end = 1.7f / MathF.Sqrt(columns);
        (float low, float high) = tensor.Content switch
        {
            TensorContent.Table => (-1f, 1f),
            TensorContent.Projection => (-end, end),
            TensorContent.Taps => (-0.8f, 0.8f),
            TensorContent.Zeros => (-0.3f, 0.3f),
            TensorContent.TimeStep => (-5f, -1f),
            TensorContent.Decay or TensorContent.HeadDecay => (-16f, -0.5f),
            TensorContent.Ones => (0.5f, 1.5f),
            _ => throw new NotSupportedException($"Tiny models have no values for {tensor.Content}; add them here."),
        };
        return new TinyTensor(tensor.Weight.Name, rows, columns, low, high, !tensor.Weight.IsDecoded);
    }

    /// <summary>Values by the tensor's name: changing one tensor leaves the others as they are.</summary>
    private static float[] Values(TinyTensor tensor)
    {
        int seed = 5;
        foreach (char c in tensor.Name) seed = unchecked(seed * 31 + c);
        var random = new Random(seed);
        var values = new float[tensor.Rows * tensor.Columns];
        for (int i = 0; i < values.Length; i++) values[i] = tensor.Low + (tensor.High - tensor.Low) * random.NextSingle();
        return values;
    }

    private static (string Key, object Value)[] Stack(int layers) =>
    [
        ("vocab_size", (uint)Vocabulary), ("block_count", (uint)layers), ("embedding_length", (uint)DModel),
        ("attention.layer_norm_rms_epsilon", 1e-5f), ("ssm.conv_kernel", (uint)DConv),
    ];

    private static Kind KindOf(string name) => name.StartsWith(Ranked, StringComparison.Ordinal) ? RankedKind(name) : Kinds.First(k => k.Name == name);

    private static Kind RankedKind(string name)
    {
        (string Key, object Value)[] keys = Mamba(norms: false, rank: 32);
        if (name != Ranked)
        {
            string[] sizes = name[(Ranked.Length + 1)..].Split('x');
            keys = [.. keys.Where(k => k.Key != "ssm.inner_size"), ("ssm.inner_size", uint.Parse(sizes[1], CultureInfo.InvariantCulture)), ("embedding_length", uint.Parse(sizes[0], CultureInfo.InvariantCulture))];
        }
        return new Kind(name, "mamba", [Head, ConvBias, "blk.{i}.ssm_in.bias", "blk.{i}.ssm_out.bias"], keys);
    }

    private static (string, object)[] Mamba(bool norms, uint rank = 5) =>
        [("ssm.inner_size", 160u), ("ssm.state_size", 16u), ("ssm.time_step_rank", rank), ("ssm.dt_b_c_rms", norms)];

    private static (string, object)[] Mamba2(uint dState, uint groups) =>
        [("ssm.inner_size", 96u), ("ssm.state_size", dState), ("ssm.time_step_rank", 6u), ("ssm.group_count", groups)];

    /// <summary>A model: its architecture, the weights it has of those that may be absent, and its mixers' keys.</summary>
    private sealed record Kind(string Name, string Architecture, string[] Optional, params (string Key, object Value)[] Keys);
}
