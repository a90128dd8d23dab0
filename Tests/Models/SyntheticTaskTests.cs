using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>
/// The two tasks of the Mamba paper (arXiv 2312.00752, tables 1 and 2) on trained weights: recall at lengths far beyond training shows
/// that the state is carried right, and at constant memory.
/// </summary>
public class SyntheticTaskTests
{
    private const int Marker = 15, CopiedTokens = 16;

    /// <summary>Of the largest logit. Rounding adds up where a state must hold 16 tokens over 4,112 float32 steps: measured 1.1e-3.</summary>
    private const float CopyingBound = 5e-3f;

    /// <summary>Of the largest logit: measured 2.8e-5 at length 4,096.</summary>
    private const float InductionBound = 3e-4f;

    /// <summary>Most that feeding one prompt, however long, may allocate.</summary>
    private const int MostBytes = 4096;

    private static bool IsFast => ModelData.FastBackend != TestBackends.Reference;

    [Fact]
    public void SelectiveCopying_Length4096_IsRightAsOftenAsPublished()
    {
        int sequences = IsFast ? 64 : 4;
        using var converted = new ConvertedModel(ModelData.PathOf("tasks", "selective-copying"), QuantTypes.F32, ModelData.FastBackend);
        using SafetensorsFile fixture = SafetensorsFile.Open(ModelData.PathOf("tasks", "selective-copying", "fixture.safetensors"));
        int[] inputs = ModelData.Ints(fixture, "x4096"), answers = ModelData.Ints(fixture, "y4096");
        float[] golden = ModelData.Floats(fixture, "logits4096");
        int length = inputs.Length / 64, vocabulary = golden.Length / answers.Length, right = 0;
        var found = new float[sequences * CopiedTokens * vocabulary];
        for (int s = 0; s < sequences; s++)
        {
            using Session session = converted.Model.StartSession();
            ReadOnlySpan<int> sequence = inputs.AsSpan(s * length, length);
            session.Feed(sequence[..^CopiedTokens]);
            ReadOnlySpan<float> logits = session.FeedAll(sequence[^CopiedTokens..]);
            logits.CopyTo(found.AsSpan(s * logits.Length));
            for (int k = 0; k < CopiedTokens; k++)
                if (ModelData.ArgMax(logits.Slice(k * vocabulary, vocabulary)) == answers[s * CopiedTokens + k]) right++;
        }
        float error = ModelData.Distance(found, golden.AsSpan(0, found.Length)) / ModelData.Scale(golden);
        Assert.True(error <= CopyingBound, $"logits differ by {error:g3} of scale, bound {CopyingBound:g3}");
        int asked = sequences * CopiedTokens;
        Assert.True(right >= 0.998 * asked, $"{right} of {asked} are right; 99.8 % are needed");
    }

    [Theory]
    [InlineData(256)]
    [InlineData(4096)]
    public void InductionHeads_Fixture_AnswersEverySequence(int length)
    {
        int sequences = IsFast ? 64 : 16_384 / length;
        using ConvertedModel converted = OpenInduction();
        using SafetensorsFile fixture = SafetensorsFile.Open(ModelData.PathOf("tasks", "induction-heads", "fixture.safetensors"));
        int[] inputs = ModelData.Ints(fixture, $"x{length}"), answers = ModelData.Ints(fixture, $"y{length}");
        float[] golden = ModelData.Floats(fixture, $"logits{length}");
        int vocabulary = golden.Length / 64;
        for (int s = 0; s < sequences; s++)
        {
            using Session session = converted.Model.StartSession();
            ReadOnlySpan<float> logits = session.Feed(inputs.AsSpan(s * length, length));
            float error = ModelData.Distance(logits, golden.AsSpan(s * vocabulary, vocabulary)) / ModelData.Scale(golden);
            Assert.True(error <= InductionBound, $"sequence {s}: logits differ by {error:g3} of scale, bound {InductionBound:g3}");
            Assert.Equal(answers[s], ModelData.ArgMax(logits));
        }
    }

    [Fact]
    public void InductionHeads_Length65536_RecallsInConstantMemory() => Recall(65_536);

    [LongFact]
    public void InductionHeads_Length1048576_RecallsInConstantMemory() => Recall(1 << 20);

    private static void Recall(int length)
    {
        using ConvertedModel converted = OpenInduction();
        (int[] sequence, int answer) = Induction(length, seed: 20240531);
        using Session session = converted.Model.StartSession();
        session.Feed(sequence.AsSpan(0, 512));   // what is made at first use is made
        session.Reset();

        long resident = converted.Model.Memory.Total;
        int found = -1;
        long allocated = Allocation.OnThread(() =>
        {
            session.Reset();
            found = ModelData.ArgMax(session.Feed(sequence));
        }, enough: MostBytes);

        Assert.Equal(answer, found);
        Assert.Equal(length, session.Position);
        Assert.Equal(resident, converted.Model.Memory.Total);
        Assert.True(allocated <= MostBytes, $"feeding {length} tokens allocated {allocated} bytes; it must not grow with the length");
    }

    private static ConvertedModel OpenInduction() => new(ModelData.PathOf("tasks", "induction-heads"), QuantTypes.F32, ModelData.FastBackend);

    /// <summary>Tokens 0 to 14 at random; the marker once at a random place, not the last two, and at the very end; the answer followed the first.</summary>
    private static (int[] Sequence, int Answer) Induction(int length, int seed)
    {
        var random = new Random(seed);
        var sequence = new int[length];
        for (int i = 0; i < length; i++) sequence[i] = random.Next(Marker);
        int place = random.Next(length / 64);   // early, so that nearly the whole length lies between
        sequence[place] = sequence[^1] = Marker;
        return (sequence, sequence[place + 1]);
    }
}
