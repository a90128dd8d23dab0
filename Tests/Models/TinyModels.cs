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

    /// <summary>What there is: Mamba-1 with a tied head; untied with every bias; Falcon-Mamba's norms; Mamba-2 with one and with three groups.</summary>
    public static IReadOnlyList<string> Names { get; } = ["mamba-tied", "mamba-untied-biases", "falcon", "mamba2-g1", "mamba2-g3"];

    /// <summary>Token <paramref name="index"/> of a stream.</summary>
    public static int Token(int index, int stream = 0) => (int)((uint)(index + 1) * 2654435761u + (uint)stream * 40503u >> 8) % Vocabulary;

    /// <summary>The first tokens of a stream.</summary>
    public static int[] Tokens(int count, int stream = 0) => [.. Enumerable.Range(0, count).Select(i => Token(i, stream))];

    /// <summary>The model's hyper-parameters.</summary>
    public static GgufMetadata Metadata(string name)
    {
        var metadata = new GgufMetadata(name);
        string architecture = Mamba2(name) ? "mamba2" : "mamba";
        metadata.Set("general.architecture", architecture);
        metadata.Set("general.name", name);
        metadata.Set(architecture + ".vocab_size", (uint)Vocabulary);
        metadata.Set(architecture + ".block_count", (uint)Layers);
        metadata.Set(architecture + ".embedding_length", (uint)DModel);
        metadata.Set(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
        metadata.Set(architecture + ".ssm.conv_kernel", (uint)DConv);
        Sizes s = SizesOf(name);
        metadata.Set(architecture + ".ssm.inner_size", (uint)s.DInner);
        metadata.Set(architecture + ".ssm.state_size", (uint)s.DState);
        metadata.Set(architecture + ".ssm.time_step_rank", (uint)s.Rank);
        if (Mamba2(name)) metadata.Set(architecture + ".ssm.group_count", (uint)s.Groups);
        else metadata.Set(architecture + ".ssm.dt_b_c_rms", name == "falcon");
        metadata.Set("tokenizer.ggml.model", "no_vocab");
        return metadata;
    }

    /// <summary>Every tensor of the model.</summary>
    public static IReadOnlyList<TinyTensor> Tensors(string name)
    {
        var tensors = new List<TinyTensor>
        {
            new("token_embd.weight", Vocabulary, DModel, -1, 1, true),
            new("output_norm.weight", 1, DModel, 0.5f, 1.5f),
        };
        if (name is "mamba-untied-biases" or "falcon") tensors.Add(Projection("output.weight", Vocabulary, DModel));
        for (int i = 0; i < Layers; i++)
        {
            string blk = $"blk.{i}.";
            tensors.Add(new TinyTensor(blk + "attn_norm.weight", 1, DModel, 0.5f, 1.5f));
            tensors.AddRange(Mamba2(name) ? Mamba2Mixer(blk, SizesOf(name)) : MambaMixer(blk, SizesOf(name), name == "mamba-untied-biases"));
        }
        return tensors;
    }

    /// <summary>Metadata and weights in memory.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="type">Storage of embedding and projections.</param>
    /// <param name="edit">Replaces a tensor before it is made, or leaves it out by null.</param>
    public static TinyWeights Make(string name, QuantType type, Func<TinyTensor, TinyTensor?>? edit = null)
    {
        var weights = new MemoryWeights();
        foreach (TinyTensor original in Tensors(name))
        {
            TinyTensor? tensor = edit is null ? original : edit(original);
            if (tensor is not null) weights.Add(tensor.Name, Storage(tensor, type), tensor.Rows, tensor.Columns, Values(tensor));
        }
        return new TinyWeights(Metadata(name), weights);
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

    private static bool Mamba2(string name) => name.StartsWith("mamba2", StringComparison.Ordinal);

    /// <summary>No size is a multiple of every vector width; the ranks are no whole blocks.</summary>
    private static Sizes SizesOf(string name) => name switch
    {
        "mamba2-g1" => new Sizes(96, 32, 6, 1),
        "mamba2-g3" => new Sizes(96, 16, 6, 3),
        _ => new Sizes(160, 16, 5, 0),
    };

    private static QuantType Storage(TinyTensor tensor, QuantType type) =>
        tensor.Projection && tensor.Columns % type.BlockLength == 0 ? type : QuantTypes.F32;

    private static TinyTensor Projection(string name, int rows, int columns, float gain = 1.7f)
    {
        float end = gain / MathF.Sqrt(columns);
        return new TinyTensor(name, rows, columns, -end, end, true);
    }

    private static IEnumerable<TinyTensor> MambaMixer(string blk, Sizes s, bool biases)
    {
        yield return Projection(blk + "ssm_in.weight", 2 * s.DInner, DModel);
        yield return new TinyTensor(blk + "ssm_conv1d.weight", s.DInner, DConv, -0.8f, 0.8f);
        yield return new TinyTensor(blk + "ssm_conv1d.bias", 1, s.DInner, -0.3f, 0.3f);
        yield return Projection(blk + "ssm_x.weight", s.Rank + 2 * s.DState, s.DInner);
        yield return Projection(blk + "ssm_dt.weight", s.DInner, s.Rank);
        yield return new TinyTensor(blk + "ssm_dt.bias", 1, s.DInner, -5, -1);
        yield return new TinyTensor(blk + "ssm_a", s.DInner, s.DState, -16, -0.5f);
        yield return new TinyTensor(blk + "ssm_d", 1, s.DInner, 0.5f, 1.5f);
        yield return Projection(blk + "ssm_out.weight", DModel, s.DInner);
        if (!biases) yield break;
        yield return new TinyTensor(blk + "ssm_in.bias", 1, 2 * s.DInner, -0.3f, 0.3f);
        yield return new TinyTensor(blk + "ssm_out.bias", 1, DModel, -0.3f, 0.3f);
    }

    private static IEnumerable<TinyTensor> Mamba2Mixer(string blk, Sizes s)
    {
        int channels = s.DInner + 2 * s.Groups * s.DState;
        yield return Projection(blk + "ssm_in.weight", s.DInner + channels + s.Rank, DModel);
        yield return new TinyTensor(blk + "ssm_conv1d.weight", channels, DConv, -0.8f, 0.8f);
        yield return new TinyTensor(blk + "ssm_conv1d.bias", 1, channels, -0.3f, 0.3f);
        yield return new TinyTensor(blk + "ssm_dt.bias", 1, s.Rank, -5, -1);
        yield return new TinyTensor(blk + "ssm_a", s.Rank, 1, -16, -0.5f);
        yield return new TinyTensor(blk + "ssm_d", s.Rank, 1, 0.5f, 1.5f);
        yield return new TinyTensor(blk + "ssm_norm.weight", s.Groups, s.DInner / s.Groups, 0.5f, 1.5f);
        yield return Projection(blk + "ssm_out.weight", DModel, s.DInner);
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

    private readonly record struct Sizes(int DInner, int DState, int Rank, int Groups);
}
