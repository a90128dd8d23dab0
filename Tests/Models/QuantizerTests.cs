using System.Security.Cryptography;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What quantizing writes, chooses and refuses.</summary>
public sealed class QuantizerTests
{
    public static TheoryData<string> Targets => [.. QuantTarget.All.Select(t => t.Name)];

    public static TheoryData<string, string> PublishedMixes => new()
    {
        { "micro-mamba2-q4_0", "Q4_0" }, { "micro-mamba2-q4_1", "Q4_1" }, { "micro-mamba2-q5_0", "Q5_0" }, { "micro-mamba2-q5_1", "Q5_1" },
        { "micro-mamba2-q2_k", "Q2_K" }, { "micro-mamba2-q3_k_m", "Q3_K_M" }, { "micro-mamba2-q4_k_m", "Q4_K_M" }, { "micro-mamba2-q5_k_m", "Q5_K_M" },
        { "micro-mamba2-q6_k", "Q6_K" }, { "micro-mamba2-iq4_nl", "IQ4_NL" }, { "micro-mamba2-iq4_xs", "IQ4_XS" },
    };

    private static QuantizationOptions Options(string target, QuantPolicy policy = QuantPolicy.Llama) =>
        new() { Target = QuantTarget.ByName(target)!, Policy = policy, Threads = 2 };

    private static string Quantize(TemporaryFolder folder, GgufFile file, QuantizationOptions options, string name = "out.gguf")
    {
        Quantizer.Write(file, Quantizer.Plan(file, options), folder[name], options);
        return folder[name];
    }

    private static GgufFile Tiny(TemporaryFolder folder)
    {
        TinyModels.WriteFile(folder["tiny.gguf"], "mamba-tied", QuantTypes.F32);
        return GgufFile.Open(folder["tiny.gguf"]);
    }

    /// <summary>Hashes of the tensors, by name, of the F16, BF16 and Q8_0 files that llama.cpp made of the same float32 model.</summary>
    [Theory]
    [InlineData("F16", "7904d5ad45454634f9b2fdf74c19576277bcec39a949539fdeba8d000fe7fb66")]
    [InlineData("BF16", "aa34f6fcac02bc8179e63be27181b1563f4cd7d7b65ac47398af7cc3d759505f")]
    [InlineData("Q8_0", "cd395033077fba2fd2ea01df5d24987a8e6091b9a2edb9f69559d8d4261c74a6")]
    public void Write_LlamaPolicy_GivesLlamaCppsBytes(string target, string sha256)
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);

        using GgufFile made = GgufFile.Open(Quantize(folder, file, Options(target)));

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (GgufTensorInfo tensor in made.Tensors.OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            made.TryGet(tensor.Name, out TensorView view);
            for (int row = 0; row < view.Rows; row++) hash.AppendData(view.Row(row));
        }
        Assert.Equal(sha256, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    [Theory, MemberData(nameof(PublishedMixes))]
    public void Plan_LlamaPolicy_ChoosesAsLlamaCppDid(string model, string target)
    {
        using var folder = new TemporaryFolder();
        using GgufFile published = MicroModels.OpenFile(model, folder);

        QuantizationPlan plan = Quantizer.Plan(published, Options(target) with { AllowRequantize = true });

        Assert.Equal(published.Tensors.Select(t => (t.Name, t.Type)), plan.Tensors.Select(t => (t.Source.Name, t.Stored)));
        Assert.Equal(published.Metadata.GetInt32("general.file_type"), plan.Metadata.GetInt32("general.file_type"));
    }

    [Theory]
    [InlineData("Q4_K_M", "Q5_0")]
    [InlineData("Q5_K_S", "Q5_1")]
    [InlineData("Q6_K", "Q8_0")]
    [InlineData("Q3_K_L", "Q4_0")]
    [InlineData("Q2_K", "Q4_0")]
    [InlineData("IQ4_XS", "IQ4_NL")]
    public void Plan_RowsThatAreNotWholeBlocks_AreListedWithWhatTheyGet(string target, string stored)
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);   // ssm_dt has rows of 32

        QuantizationPlan plan = Quantizer.Plan(file, Options(target));

        Assert.Equal(["blk.0.ssm_dt.weight", "blk.1.ssm_dt.weight"], plan.StoredOtherwise.Select(t => t.Tensor).Order(StringComparer.Ordinal));
        Assert.All(plan.StoredOtherwise, t => Assert.Equal((32, stored), (t.Columns, t.Stored.Name)));
    }

    [Theory, MemberData(nameof(Targets))]
    public void Write_RankThatNoBlockFits_RunsInEveryTypeAndIsListed(string target)
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = Tiny(folder);   // dt_rank is no multiple of 32
        QuantizationPlan plan = Quantizer.Plan(file, Options(target));
        bool blocks = QuantTarget.ByName(target)!.Type.BlockLength > 1;

        Quantizer.Write(file, plan, folder["out.gguf"], Options(target));

        PlannedTensor dt = plan.Tensors.First(t => t.Source.Name == "blk.0.ssm_dt.weight");
        Assert.NotEqual(0, dt.Source.Columns % 32);
        Assert.Equal(blocks ? QuantTypes.F16 : QuantTarget.ByName(target)!.Type, dt.Stored);
        Assert.Equal(blocks, plan.StoredOtherwise.Any(t => t.Tensor == dt.Source.Name));
        using IBackend backend = TestBackends.Create(ModelData.FastBackend);
        using Model model = Model.Open(folder["out.gguf"], backend);
        using Session session = model.StartSession();
        Assert.All(session.Feed([1, 2, 3]).ToArray(), logit => Assert.True(float.IsFinite(logit)));
    }

    [Theory]
    [InlineData("micro-mamba-f32")]
    [InlineData("micro-falcon-mamba-f32")]
    [InlineData("micro-mamba2-g2-f32")]
    public void Plan_SsmPolicy_KeepsWhatDrivesTheStateInFiveBitsOrMore(string model)
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile(model, folder);
        foreach (QuantTarget target in QuantTarget.All.Where(t => t.Type.BlockLength > 1))
        {
            QuantizationPlan plan = Quantizer.Plan(file, Options(target.Name, QuantPolicy.Ssm));
            Assert.Empty(plan.StoredOtherwise);   // every width here fits what the recipe asks for
            foreach (PlannedTensor tensor in plan.Tensors)
            {
                if (tensor.Source.Name.Contains("ssm_x", StringComparison.Ordinal) || tensor.Source.Name.EndsWith("ssm_dt.weight", StringComparison.Ordinal))
                    Assert.InRange(tensor.Stored.BlockBytes * 8.0 / tensor.Stored.BlockLength, 5.5, 8.5);
                else if (!tensor.Source.Name.EndsWith(".weight", StringComparison.Ordinal) || tensor.Source.Dimensions.Count == 1 || tensor.Source.Name.Contains("conv1d", StringComparison.Ordinal) || tensor.Source.Name.Contains("norm", StringComparison.Ordinal))
                    Assert.Equal(QuantTypes.F32, tensor.Stored);
                else Assert.True(tensor.Stored.BlockLength > 1, tensor.Source.Name);
            }
        }
    }

    [Fact]
    public void Plan_SsmPolicy_MakesFilesSmallerStepByStep()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);
        string[] ladder = ["Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K"];

        long[] bytes = [.. ladder.Select(name => Quantizer.Plan(file, Options(name, QuantPolicy.Ssm)).Bytes)];

        Assert.Equal(bytes.OrderDescending(), bytes);
    }

    /// <summary>In files near 5 bits, 8 bits for x_proj and dt_proj buy nothing.</summary>
    [Theory]
    [InlineData("Q5_K_M")]
    [InlineData("Q4_K_M")]
    [InlineData("Q4_K_S")]
    [InlineData("Q4_0")]
    [InlineData("IQ4_XS")]
    public void Plan_SsmPolicyNearFiveBits_SpendsFiveBitsOnWhatDrivesTheState(string target)
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);

        Dictionary<string, QuantType> stored = Quantizer.Plan(file, Options(target, QuantPolicy.Ssm)).Tensors.ToDictionary(t => t.Source.Name, t => t.Stored);

        Assert.Equal((QuantTypes.Q5_K, QuantTypes.Q5_1), (stored["blk.1.ssm_x.weight"], stored["blk.1.ssm_dt.weight"]));
    }

    [Fact]
    public void Write_AnyNumberOfThreads_GivesTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);

        string one = Quantize(folder, file, Options("Q4_K_M") with { Threads = 1 }, "one.gguf"), three = Quantize(folder, file, Options("Q4_K_M") with { Threads = 3 }, "three.gguf");

        Assert.Equal(File.ReadAllBytes(one), File.ReadAllBytes(three));
    }

    [Fact]
    public void Write_KeepsMetadataAndVectors()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);
        using GgufFile made = GgufFile.Open(Quantize(folder, file, Options("Q4_K_M")));

        string[] changed = ["general.file_type", "general.quantization_version"];
        Assert.Equal(file.Metadata.Entries.Select(e => e.Key).Except(changed).Order(), made.Metadata.Entries.Select(e => e.Key).Except(changed).Order());
        Assert.Equal((15, 2), (made.Metadata.GetInt32(changed[0]), made.Metadata.GetInt32(changed[1])));
        Assert.Equal(file.Metadata.TryGetStrings("tokenizer.ggml.tokens"), made.Metadata.TryGetStrings("tokenizer.ggml.tokens"));
        foreach (GgufTensorInfo tensor in file.Tensors.Where(t => t.Dimensions.Count == 1 || t.Name.EndsWith("ssm_a", StringComparison.Ordinal)))
        {
            file.TryGet(tensor.Name, out TensorView before);
            made.TryGet(tensor.Name, out TensorView after);
            Assert.Equal(before.Type, after.Type);
            for (int row = 0; row < before.Rows; row++) Assert.True(before.Row(row).SequenceEqual(after.Row(row)));
        }
    }

    [Fact]
    public void Plan_Overrides_PrecedeThePolicyAndTheLastHolds()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);
        QuantizationOptions options = Options("Q4_K_M") with
        {
            Overrides = [new QuantOverride("ssm_out", QuantTypes.Q6_K), new QuantOverride("blk.1.*out", QuantTypes.Q8_0)],
        };

        Dictionary<string, QuantType> stored = Quantizer.Plan(file, options).Tensors.ToDictionary(t => t.Source.Name, t => t.Stored);

        Assert.Equal((QuantTypes.Q6_K, QuantTypes.Q8_0), (stored["blk.0.ssm_out.weight"], stored["blk.1.ssm_out.weight"]));
        Assert.Equal(QuantTypes.Q4_K, stored["blk.1.ssm_in.weight"]);
        var nothing = options with { Overrides = [new QuantOverride("attn", QuantTypes.Q6_K)] };
        Assert.Contains("attn", Assert.Throws<ArgumentException>(() => Quantizer.Plan(file, nothing)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_QuantizedSource_IsRefusedUnlessAllowed()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba2-q5_k_m", folder);

        Assert.Contains("--allow-requantize", Assert.Throws<NotSupportedException>(() => Quantizer.Plan(file, Options("Q4_K_M"))).Message, StringComparison.Ordinal);
        string made = Quantize(folder, file, Options("Q4_K_M") with { AllowRequantize = true });

        using GgufFile again = GgufFile.Open(made);
        Assert.Contains(again.Tensors, t => t.Type == QuantTypes.Q4_K);
    }

    [Fact]
    public void Write_QuantizedSourceToItsOwnType_CopiesTheBytes()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba2-q4_k_m", folder);

        using GgufFile made = GgufFile.Open(Quantize(folder, file, Options("Q4_K_M")));

        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            file.TryGet(tensor.Name, out TensorView before);
            made.TryGet(tensor.Name, out TensorView after);
            for (int row = 0; row < before.Rows; row++) Assert.True(before.Row(row).SequenceEqual(after.Row(row)), tensor.Name);
        }
    }

    [Theory]
    [InlineData(float.NaN, "finite")]
    [InlineData(float.NegativeInfinity, "finite")]
    [InlineData(1e6f, "too large")]
    public void Write_WeightThatCannotBeStored_NamesTheTensorAndLeavesNothing(float weight, string reason)
    {
        using var folder = new TemporaryFolder();
        GgufTensorInfo tensor;
        using (GgufFile whole = Tiny(folder)) tensor = whole.Tensors.Single(t => t.Name == "blk.1.ssm_in.weight");
        using (FileStream stream = File.OpenWrite(folder["tiny.gguf"]))
        {
            stream.Position = tensor.Offset + tensor.Bytes - sizeof(float);
            stream.Write(BitConverter.GetBytes(weight));
        }
        using GgufFile file = GgufFile.Open(folder["tiny.gguf"]);

        string message = Assert.Throws<FormatException>(() => Quantize(folder, file, Options("Q8_0"))).Message;

        Assert.Contains("'blk.1.ssm_in.weight'", message, StringComparison.Ordinal);
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.Equal(["tiny.gguf"], folder.Files);
    }

    [Fact]
    public void Write_OutputThatIsTheInput_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = Tiny(folder);
        File.CreateSymbolicLink(folder["link.gguf"], folder["tiny.gguf"]);

        Assert.Throws<ArgumentException>(() => Quantize(folder, file, Options("Q8_0"), "tiny.gguf"));
        Assert.Throws<ArgumentException>(() => Quantize(folder, file, Options("Q8_0"), "link.gguf"));
    }

    [Fact]
    public void Write_Cancelled_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = Tiny(folder);
        using var cancel = new CancellationTokenSource();

        Assert.ThrowsAny<OperationCanceledException>(() =>
            Quantizer.Write(file, Quantizer.Plan(file, Options("Q8_0")), folder["out.gguf"], Options("Q8_0"), _ => cancel.Cancel(), cancel.Token));

        Assert.Equal(["tiny.gguf"], folder.Files);
    }

    [Fact]
    public void Write_WithImportance_SaysSoAndRefusesAnotherModels()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);
        var own = new ImportanceMatrix("dir/own.gguf") { Datasets = ["dir/text.txt"], Chunks = 5 };
        own.Add("blk.0.ssm_out.weight", [.. Enumerable.Range(0, 512).Select(i => (float)i)], 100);
        var narrow = new ImportanceMatrix("narrow.gguf");
        narrow.Add("blk.0.ssm_out.weight", [1, 2], 100);
        var foreign = new ImportanceMatrix("foreign.gguf");
        foreign.Add("blk.0.attn_q.weight", [1, 2], 100);

        QuantizationPlan plan = Quantizer.Plan(file, Options("Q4_K_M") with { Importance = own });

        Assert.Equal(("own.gguf", "text.txt"), (plan.Metadata.GetString("quantize.imatrix.file"), plan.Metadata.GetString("quantize.imatrix.dataset")));
        Assert.Equal((1, 5), (plan.Metadata.GetInt32("quantize.imatrix.entries_count"), plan.Metadata.GetInt32("quantize.imatrix.chunks_count")));
        Assert.Contains("narrow.gguf", Assert.Throws<FormatException>(() => Quantizer.Plan(file, Options("Q4_K_M") with { Importance = narrow })).Message, StringComparison.Ordinal);
        Assert.Contains("foreign.gguf", Assert.Throws<FormatException>(() => Quantizer.Plan(file, Options("Q4_K_M") with { Importance = foreign })).Message, StringComparison.Ordinal);
    }

    /// <summary>What the observer is shown, on every backend, is what the projections read.</summary>
    [Theory, MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void Observer_OfAModel_SeesTheRowsOfEveryProjection(string backendName)
    {
        using TinyWeights tiny = TinyModels.Make("mamba-untied-biases", QuantTypes.Q8_0);
        ImportanceMatrix found = Observe(backendName, tiny), expected = Observe(TestBackends.Reference, tiny);

        Assert.Equal(expected.Names, found.Names);
        Assert.Equal(9, found.Count);   // four projections in two layers, and the head
        foreach (string name in expected.Names)
        {
            expected.TryGet(name, out float[] exact);
            found.TryGet(name, out float[] means);
            // Activations of quantized projections are rounded to 8 bits on the way.
            for (int i = 0; i < exact.Length; i++) Assert.InRange(means[i], exact[i] * 0.9 - 1e-4, exact[i] * 1.1 + 1e-4);
        }
    }

    private static ImportanceMatrix Observe(string backendName, TinyWeights tiny)
    {
        var collector = new ImportanceCollector();
        using IBackend backend = TestBackends.Create(backendName);
        using Model model = Model.Open(tiny.Metadata, tiny.Weights, backend, new ModelOptions { Observer = collector });
        using Session session = model.StartSession();
        session.FeedAll(TinyModels.Tokens(40));
        return collector.Build(model.Plan, "test", "tokens", 1, 40);
    }
}
