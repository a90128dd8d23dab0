using System.Text;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Micro models against llama.cpp's logits and against an exact forward pass over the same weights.</summary>
[TestCaseOrderer(InOrder.Name, InOrder.Assembly)]
public sealed class MicroModelTests
{
    /// <summary>Where llama.cpp's first two logits are nearer than this, either may come out first.</summary>
    private const float ClearLead = 0.1f;

    public static TheoryData<string, string> Models => TestBackends.With(MicroModels.Names);

    public static TheoryData<int> RefusedTypes => [9, 15, 24, 25, 26, 27, 28, 40, 41, 42];

    [Theory]
    [MemberData(nameof(Models))]
    public void Logits_OfEveryPosition_AgreeWithLlamaCppAndWithExactArithmetic(string backend, string name)
    {
        MicroAnswers answers = MicroModels.Answers(name);
        using IBackend device = TestBackends.Create(backend);
        using Model model = MicroModels.Open(name, device);
        using Session session = model.StartSession();
        ReadOnlySpan<float> logits = session.FeedAll(answers.Tokens);
        int width = model.Plan.VocabularySize;
        float fromLlama = 0, fromExact = 0;
        for (int t = 0; t < answers.Tokens.Length; t++)
        {
            ReadOnlySpan<float> row = logits.Slice(t * width, width);
            fromLlama = Math.Max(fromLlama, Worst(row, answers.TopIds[t], answers.TopLogits[t]));
            fromExact = Math.Max(fromExact, Worst(row, answers.ExactIds[t], answers.ExactLogits[t]));
            if (answers.TopLogits[t][0] - answers.TopLogits[t][1] >= ClearLead) Assert.Equal(answers.TopIds[t][0], Best(row));
        }
        fromLlama = Math.Max(fromLlama, Worst(logits[^width..], [.. Enumerable.Range(0, answers.Last.Length)], answers.Last));
        Assert.True(fromLlama <= LlamaBound(name), $"{backend}, {name}: a logit differs by {fromLlama:g3} from llama.cpp's; {LlamaBound(name):g3} is allowed.");
        Assert.True(fromExact <= ExactBound(backend, name), $"{backend}, {name}: a logit differs by {fromExact:g3} from exact arithmetic; {ExactBound(backend, name):g3} is allowed.");
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void GreedyTokens_OneByOne_AreTheBestOrNearlyTheBest(string backend, string name)
    {
        MicroAnswers answers = MicroModels.Answers(name);
        using IBackend device = TestBackends.Create(backend);
        using Model model = MicroModels.Open(name, device);
        using Session session = model.StartSession();
        ReadOnlySpan<float> logits = session.Feed(answers.Tokens);
        float bound = 2 * LlamaBound(name);
        for (int i = 0; i < answers.Greedy.Length; i++)
        {
            // llama.cpp's token is fed whatever ours would be, so that one near tie does not end the comparison.
            int theirs = answers.Greedy[i], ours = Best(logits);
            Assert.True(logits[theirs] >= logits[ours] - bound, $"{backend}, {name}: token {i} should be {theirs} ({logits[theirs]}); {ours} has {logits[ours]}.");
            logits = session.Feed(new[] { theirs });
        }
    }

    [Theory]
    [MemberData(nameof(RefusedTypes))]
    public void Open_TypeThatIsNotRead_IsRefusedByName(int id)
    {
        using var folder = new TemporaryFolder();
        string path = folder["refused.gguf"];
        TinyModels.WriteFile(path, "mamba2-g1", QuantTypes.Q8_0);
        byte[] bytes = File.ReadAllBytes(path);
        // The tensor table: name, number of dimensions, dimensions, type.
        byte[] name = Encoding.UTF8.GetBytes("blk.1.ssm_in.weight");
        int type = bytes.AsSpan().IndexOf(name) + name.Length + 4 + 2 * 8;
        Assert.Equal(QuantTypes.Q8_0.GgufId, bytes[type]);
        bytes[type] = (byte)id;
        File.WriteAllBytes(path, bytes);
        using IBackend backend = TestBackends.Create(TestBackends.Reference);
        string message = Assert.Throws<NotSupportedException>(() => Model.Open(path, backend)).Message;
        Assert.Contains($"'blk.1.ssm_in.weight' is stored as {QuantTypes.UnsupportedName(id)},", message);
    }

    /// <summary>llama.cpp keeps float32 activations with float32 weights only: it rounds them to the weights' type otherwise, to 8 bits with quantized ones.</summary>
    private static float LlamaBound(string name) => Kind(name) switch { "f32" => 1e-5f, "f16" => 2e-3f, "bf16" => 1e-2f, _ => 6e-2f };

    /// <summary>The reference keeps float32 activations always; the others round them to 8 bits beside quantized weights, as llama.cpp does; some to 16 bits beside weights of 16.</summary>
    private static float ExactBound(string backend, string name) => Kind(name) switch
    {
        "f16" or "bf16" when TestBackends.RoundsToHalves(backend) => LlamaBound(name),   // the same rounding: measured 6e-4 and 5e-3
        "f32" or "f16" or "bf16" => 1e-4f,
        _ => TestBackends.RoundsActivations(backend) ? 6e-2f : 1e-4f,
    };

    private static string Kind(string name) => name.Split('-')[^1];

    private static float Worst(ReadOnlySpan<float> row, int[] ids, float[] expected)
    {
        float worst = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            float difference = Math.Abs(row[ids[i]] - expected[i]);
            worst = float.IsNaN(difference) ? float.PositiveInfinity : Math.Max(worst, difference);
            if (float.IsPositiveInfinity(worst)) break;
        }
        return worst;
    }

    private static int Best(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
            if (row[i] > row[best]) best = i;
        return best;
    }
}
