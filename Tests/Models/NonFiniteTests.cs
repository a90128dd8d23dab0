using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>A weight that is NaN or infinite ends in a sentence that names its tensor: every kind of tensor and storage, on every backend, fed one token or many.</summary>
public sealed class NonFiniteTests
{
    private static readonly int[] Many = TinyModels.Tokens(20);

    /// <summary>Every quantized micro model has its type in it; the one in float32 stands for the plain ones.</summary>
    public static TheoryData<string, string> Micro => TestBackends.With(MicroModels.Names);

    public static TheoryData<string, string> Tiny => TestBackends.With(TinyModels.Names);

    public static TheoryData<string> Backends => TestBackends.All;

    [Theory]
    [MemberData(nameof(Micro))]
    public void Run_NumberOfAStoredMatrixNotFinite_NamesTheTensor(string backendName, string name)
    {
        using var folder = new TemporaryFolder();
        using var backend = TestBackends.Create(backendName);
        using Model sound = MicroModels.Open(name, backend);
        GgufMetadata metadata = sound.Metadata;
        IWeightSource source = sound.Weights;
        var tried = new HashSet<(string, string)>();
        foreach (WeightSpec spec in sound.Plan.Weights.ToArray())
        {
            source.TryGet(spec.Name, out TensorView view);
            string kind = spec.Name[(spec.Name.IndexOf('.', 4) + 1)..];
            if (spec.IsDecoded || !tried.Add((kind, view.Type.Name))) continue;
            foreach (Action<byte[]> edit in PoisonedWeights.Places(view.Type)) Refuses(backend, sound, metadata, source, spec.Name, view.Rows - 1, edit);
        }
    }

    [Theory]
    [MemberData(nameof(Tiny))]
    public void Open_VectorOrSmallMatrixNotFinite_NamesTheTensor(string backendName, string name)
    {
        using TinyWeights sound = TinyModels.Make(name, QuantTypes.F32);
        using IBackend backend = TestBackends.Create(backendName);
        string[] names = [.. TinyModels.Tensors(name).Select(t => t.Name)];
        foreach (TinyTensor tensor in TinyModels.Tensors(name).Where(t => !t.Projection))
            foreach (Action<byte[]> edit in PoisonedWeights.Places(QuantTypes.F32))
            {
                using MemoryWeights weights = PoisonedWeights.Of(sound.Weights, names, tensor.Name, tensor.Rows / 2, edit);
                Assert.Contains($"'{tensor.Name}' holds NaN or infinity", Assert.Throws<FormatException>(() => Model.Open(sound.Metadata, weights, backend)).Message);
            }
    }

    [Theory]
    [MemberData(nameof(Tiny))]
    public void Run_MatrixOfFloatsNotFinite_NamesTheTensor(string backendName, string name)
    {
        using IBackend backend = TestBackends.Create(backendName);
        string[] names = [.. TinyModels.Tensors(name).Select(t => t.Name)];
        foreach (QuantType type in new[] { QuantTypes.F32, QuantTypes.F16, QuantTypes.BF16 })
        {
            using TinyWeights weights = TinyModels.Make(name, type);
            using Model sound = Model.Open(weights.Metadata, weights.Weights, backend);
            foreach (TinyTensor tensor in TinyModels.Tensors(name).Where(t => t.Projection))
                foreach (Action<byte[]> edit in PoisonedWeights.Places(type))
                    foreach (int row in new[] { 0, tensor.Rows - 1 }) Refuses(backend, sound, weights.Metadata, weights.Weights, tensor.Name, row, edit);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Feed_RowOfTheEmbeddingNotFinite_ConcernsThatTokenAlone(string backendName)
    {
        using TinyWeights sound = TinyModels.Make("mamba-untied-biases", QuantTypes.F16);
        using IBackend backend = TestBackends.Create(backendName);
        string[] names = [.. TinyModels.Tensors("mamba-untied-biases").Select(t => t.Name)];
        using MemoryWeights weights = PoisonedWeights.Of(sound.Weights, names, "token_embd.weight", 9, PoisonedWeights.Places(QuantTypes.F16)[0]);
        using Model model = Model.Open(sound.Metadata, weights, backend);
        using Session session = model.StartSession();
        session.Feed([1, 2, 3]);
        byte[] before = session.Save().ToBytes();
        foreach (int[] tokens in new[] { [9], new[] { 4, 9, 5 } })
            Assert.Contains("'token_embd.weight' holds NaN or infinity in 1 of its 96 rows, first in row 9", Assert.Throws<FormatException>(() => session.Feed(tokens)).Message);
        Assert.Throws<FormatException>(() => model.FeedBatch([session], [9]));
        Assert.Equal(before, session.Save().ToBytes());
        session.Feed([4]);
        Assert.Equal(4, session.Position);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Feed_ValuesThatLeaveTheRange_NamesTheOp(string backendName)
    {
        // Finite weights whose products are not: the norm of the second layer is the first to see them.
        using var run = new TinyRun(backendName, "mamba-tied", QuantTypes.F32, edit: t => t.Name == "blk.0.ssm_out.weight" ? t with { Low = 3e38f, High = 3.1e38f } : t);
        using Session session = run.Model.StartSession();
        Assert.Contains("'blk.1.", Assert.Throws<FormatException>(() => session.Feed([1])).Message);
        Assert.Contains("'blk.1.", Assert.Throws<FormatException>(() => session.Feed(Many)).Message);
        Assert.Equal(0, session.Position);
        Assert.Throws<FormatException>(() => run.Model.FeedBatch([session], [1]));
        Assert.Contains("lost its state", Assert.Throws<InvalidOperationException>(() => session.Save()).Message);
        session.Reset();
        session.Save();
    }

    /// <summary>Values of some 1e20, whose squares no float holds: divided by the root of an infinite mean, a row would be zeros and look like an answer.</summary>
    [Theory]
    [MemberData(nameof(Backends))]
    public void Feed_SquaresThatLeaveTheRange_IsRefusedOrRight(string backendName)
    {
        static TinyTensor Large(TinyTensor t) => t.Name == "blk.0.ssm_d" ? t with { Low = 1e20f, High = 1.1e20f } : t;
        using var reference = new TinyRun(TestBackends.Reference, "mamba-tied", QuantTypes.F32, edit: Large);
        using var run = new TinyRun(backendName, "mamba-tied", QuantTypes.F32, edit: Large);
        foreach (int[] tokens in new[] { [1], Many })
        {
            using Session expected = reference.Model.StartSession(), session = run.Model.StartSession();
            float[] right = expected.Feed(tokens).ToArray(), got;
            try
            {
                got = session.Feed(tokens).ToArray();
            }
            catch (FormatException e)
            {
                Assert.Contains("not finite", e.Message);
                continue;
            }
            for (int i = 0; i < right.Length; i++) Assert.InRange(got[i], right[i] - 1e-2f, right[i] + 1e-2f);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Feed_StatesThatGrowWithoutEnd_IsRefused(string backendName)
    {
        // A is above zero in no trained model: where a file says so, a "decay" leaves the range of floats within a few tokens.
        int[] tokens = [5, 6, 7, 900, 8, 9, 10];
        foreach ((string name, float value) in ((string, float)[])[("micro-mamba-f32", 1e9f), ("micro-mamba-f16", 1e30f), ("micro-mamba2-g2-f32", 1e9f)])
        {
            using var backend = TestBackends.Create(backendName);
            using Model sound = MicroModels.Open(name, backend);
            using MemoryWeights weights = PoisonedWeights.Of(sound.Weights, sound.Plan.Weights.ToArray().Select(w => w.Name), "blk.0.ssm_a", 0,
                row => BitConverter.TryWriteBytes(row, value));
            using Model model = Model.Open(sound.Metadata, weights, backend);
            using Session session = model.StartSession();
            Assert.Contains("not finite", Assert.Throws<FormatException>(() => session.Feed(tokens)).Message);
            using Session single = model.StartSession();
            Assert.Contains("not finite", Assert.Throws<FormatException>(() => { foreach (int token in tokens) single.Feed([token]); }).Message);
        }
    }

    /// <summary>The run is refused in words, with one token and with many, and the session is as before.</summary>
    private static void Refuses(IBackend backend, Model sound, GgufMetadata metadata, IWeightSource source, string tensor, int row, Action<byte[]> edit)
    {
        using MemoryWeights weights = PoisonedWeights.Of(source, sound.Plan.Weights.ToArray().Select(w => w.Name), tensor, row, edit);
        using Model model = Model.Open(metadata, weights, backend);
        using Session session = model.StartSession();
        byte[] before = session.Save().State.ToArray();
        int token = tensor == "token_embd.weight" ? row : 1;
        foreach (int[] tokens in new[] { [token], (int[])[token, .. Many] })
        {
            string message = Assert.Throws<FormatException>(() => session.Feed(tokens)).Message;
            Assert.Contains($"'{tensor}' holds NaN or infinity in 1 of its ", message);
            Assert.Equal(before, session.Save().State.ToArray());
            Assert.Equal(0, session.Position);
        }
    }
}
