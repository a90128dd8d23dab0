using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>
/// Tiny checkpoints with random float32 weights, converted to F32, against logits of the published Python code (transformers 5.17.0, CPU,
/// float32; "mamba2", with two groups, a float64 forward pass with the norm per group as in state-spaces/mamba).
/// </summary>
public class OracleTests
{
    /// <summary>Of the largest logit. Measured: at most 4.9e-6 on the reference backend; float32 implementations that add in other orders differ by some times that.</summary>
    private const float Bound = 1e-4f;

    public static TheoryData<string, string> Cases => TestBackends.With(["mamba", "mamba_nobias", "mamba2", "mamba2_g1", "falcon_mamba"]);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Oracle_FedAtOnce_GivesThePublishedLogits(string backend, string oracle) => Compare(backend, oracle, (session, ids) => session.FeedAll(ids).ToArray());

    [Theory]
    [MemberData(nameof(Cases))]
    public void Oracle_FedStepByStep_GivesThePublishedLogits(string backend, string oracle) => Compare(backend, oracle, (session, ids) =>
    {
        var logits = new List<float>();
        foreach (int id in ids) logits.AddRange(session.Feed([id]));
        return [.. logits];
    });

    private static void Compare(string backend, string oracle, Func<Session, int[], float[]> feed)
    {
        string folder = ModelData.PathOf("oracles", oracle);
        using var converted = new ConvertedModel(folder, QuantTypes.F32, backend);
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        foreach (int length in (int[])[7, 70])
        {
            using Session session = converted.Model.StartSession();
            float[] expected = ModelData.Floats(golden, $"logits{length}");
            float[] found = feed(session, ModelData.Ints(golden, $"ids{length}"));
            float error = ModelData.Distance(found, expected) / ModelData.Scale(expected);
            Assert.True(error <= Bound, $"{oracle} on {backend}, {length} tokens: error {error:g3} of scale, bound {Bound:g3}");
        }
    }
}
