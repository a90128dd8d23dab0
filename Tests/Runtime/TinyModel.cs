using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A random one-layer Mamba with a byte vocabulary, in memory: enough for what is built on logits.</summary>
internal sealed class TinyModel : IDisposable
{
    public const int Hi = 256, Start = 257, End = 258, Eos = 259, Shout = 260;

    private const int DModel = 8, DInner = 16, DState = 4, DConv = 4, DtRank = 2;

    private readonly MemoryWeights _weights = new();

    public TinyModel(int seed = 1, int chunk = 16, Action<GgufMetadata>? change = null, IBackend? on = null, ModelOptions? options = null)
    {
        var metadata = new GgufMetadata("tiny");
        string[] spellings = [.. Enumerable.Range(0, 256).Select(Spelling), "hi", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|shout|>"];
        int[] kinds = [.. Enumerable.Repeat(1, 257), 3, 3, 3, 4];
        metadata.Set("general.architecture", "mamba");
        metadata.Set("mamba.embedding_length", (uint)DModel);
        metadata.Set("mamba.block_count", 1u);
        metadata.Set("mamba.ssm.inner_size", (uint)DInner);
        metadata.Set("mamba.ssm.state_size", (uint)DState);
        metadata.Set("mamba.ssm.conv_kernel", (uint)DConv);
        metadata.Set("mamba.ssm.time_step_rank", (uint)DtRank);
        metadata.Set("mamba.attention.layer_norm_rms_epsilon", 1e-5f);
        metadata.Set("tokenizer.ggml.model", "gpt2");
        metadata.Set("tokenizer.ggml.pre", "gpt-2");
        metadata.Set("tokenizer.ggml.tokens", spellings);
        metadata.Set("tokenizer.ggml.token_type", kinds);
        metadata.Set("tokenizer.ggml.merges", new[] { "h i" });
        metadata.Set("tokenizer.ggml.eos_token_id", (uint)Eos);
        change?.Invoke(metadata);
        var random = new Random(seed);
        // Three rows beyond the vocabulary, as published models pad theirs.
        Add(random, "token_embd.weight", spellings.Length + 3, DModel, 1);
        Add(random, "blk.0.attn_norm.weight", 1, DModel, 1);
        Add(random, "blk.0.ssm_in.weight", 2 * DInner, DModel, 1);
        Add(random, "blk.0.ssm_conv1d.weight", DInner, DConv, 1);
        Add(random, "blk.0.ssm_x.weight", DtRank + 2 * DState, DInner, 0.5f);
        Add(random, "blk.0.ssm_dt.weight", DInner, DtRank, 1);
        Add(random, "blk.0.ssm_dt.bias", 1, DInner, 1);
        _weights.Add("blk.0.ssm_a", QuantTypes.F32, DInner, DState, [.. Enumerable.Range(0, DInner * DState).Select(i => -0.1f * (1 + i % DState))]);
        Add(random, "blk.0.ssm_d", 1, DInner, 1);
        Add(random, "blk.0.ssm_out.weight", DModel, DInner, 0.5f);
        Add(random, "output_norm.weight", 1, DModel, 1);
        Model = Model.Open(metadata, _weights, on ?? Backend, (options ?? new ModelOptions()) with { ChunkTokens = chunk });
    }

    public Model Model { get; }

    /// <summary>Writes the model as a GGUF file.</summary>
    public void Write(string path)
    {
        var writer = new GgufWriter(Model.Metadata);
        foreach (WeightSpec spec in Model.Plan.Weights)
        {
            if (!_weights.TryGet(spec.Name, out TensorView view)) continue;
            writer.AddTensor(spec.Name, view.Type, [view.Columns, view.Rows], stream =>
            {
                for (int row = 0; row < view.Rows; row++) stream.Write(view.Row(row));
            });
        }
        writer.Write(path);
    }

    /// <summary>Lets a test act between two runs of a batch.</summary>
    public HookedBackend Backend { get; } = new();

    /// <summary>Sampling at random among printable ASCII, so that text and tokens are one.</summary>
    public static SamplingOptions Printable(uint seed, bool withEnd = false)
    {
        var bias = new Dictionary<int, float>();
        for (int token = 0; token <= Shout; token++)
            if (token is < 32 or > 126 && !(withEnd && token == Eos)) bias[token] = float.NegativeInfinity;
        return new SamplingOptions { Seed = seed, Temperature = 1.5f, TopK = 0, TopP = 1, MinP = 0, LogitBias = bias };
    }

    /// <summary>Picks just these tokens, then the end.</summary>
    public static SamplerChain Scripted(params int[] tokens) => new(1, new Script(tokens));

    /// <summary>Picks the bytes of this text, then the end, and after that the bytes of the next one.</summary>
    public static SamplerChain Saying(params string[] texts) =>
        Scripted([.. texts.SelectMany(text => System.Text.Encoding.UTF8.GetBytes(text).Select(b => (int)b).Append(Eos))]);

    public void Dispose()
    {
        Model.Dispose();
        _weights.Dispose();
        Backend.Dispose();
    }

    private static string Spelling(int value)
    {
        if (value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174) return ((char)value).ToString();
        int others = Enumerable.Range(0, value).Count(i => i is not (>= 33 and <= 126 or >= 161 and <= 172 or >= 174));
        return ((char)(256 + others)).ToString();
    }

    private void Add(Random random, string name, int rows, int columns, float scale)
    {
        var values = new float[rows * columns];
        foreach (ref float value in values.AsSpan()) value = scale * (2 * random.NextSingle() - 1);
        _weights.Add(name, QuantTypes.F32, rows, columns, values);
    }

    private sealed class Script(int[] tokens, int next = 0) : IStatefulSampler
    {
        private int _next = next;

        public void Apply(ref Candidates candidates) =>
            candidates.Keep(candidates.IndexOf(_next < tokens.Length ? tokens[_next] : Eos), 1);

        public void Accept(int token, double probability) => _next++;

        public void Reset() => _next = 0;

        public IStatefulSampler Clone() => new Script(tokens, _next);
    }
}
