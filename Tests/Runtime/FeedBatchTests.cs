using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Several sessions fed at once say what each says alone.</summary>
public sealed class FeedBatchTests
{
    public static TheoryData<string, string> Models => TestBackends.With(TinyModels.Names);

    [Theory]
    [MemberData(nameof(Models))]
    public void FeedBatch_SeveralSessions_EqualsEachAlone(string backend, string model)
    {
        const int Sequences = 7, Steps = 5;
        using var run = new TinyRun(backend, model, QuantTypes.Q8_0, chunk: 4);
        Session[] alone = [.. Enumerable.Range(0, Sequences).Select(_ => run.Model.StartSession())];
        Session[] together = [.. Enumerable.Range(0, Sequences).Select(_ => run.Model.StartSession())];
        int vocabulary = run.Model.Plan.VocabularySize;
        for (int step = 0; step < Steps; step++)
        {
            int count = step == 1 ? 2 : Sequences;   // a batch may shrink and grow again
            int[] tokens = [.. Enumerable.Range(0, count).Select(i => TinyModels.Token(step, i))];
            float[] batch = run.Model.FeedBatch(together.AsSpan(0, count), tokens).ToArray();
            Assert.Equal(count * vocabulary, batch.Length);
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<float> expected = alone[i].Feed([tokens[i]]);
                double error = 0, norm = 0;
                for (int v = 0; v < vocabulary; v++)
                {
                    error += Math.Pow(batch[i * vocabulary + v] - expected[v], 2);
                    norm += Math.Pow(expected[v], 2);
                }
                Assert.True(error / norm < 1e-9, $"Step {step}, session {i}: NMSE {error / norm:g3}.");
                Assert.Equal(alone[i].Position, together[i].Position);
            }
        }
        foreach (Session session in alone.Concat(together)) session.Dispose();
    }

    [Fact]
    public void FeedBatch_WrongArguments_FeedNothing()
    {
        using var run = new TinyRun("cpu", "mamba-tied", QuantTypes.F32);
        using var other = new TinyRun("cpu", "mamba-tied", QuantTypes.F32);
        using Session a = run.Model.StartSession(), b = run.Model.StartSession(), foreign = other.Model.StartSession();
        Session closed = run.Model.StartSession();
        closed.Dispose();
        Assert.Throws<ArgumentException>(() => { run.Model.FeedBatch([], []); });
        Assert.Throws<ArgumentException>(() => { run.Model.FeedBatch([a, b], [1]); });
        Assert.Throws<ArgumentException>(() => { run.Model.FeedBatch([a, a], [1, 2]); });
        Assert.Throws<ArgumentException>(() => { run.Model.FeedBatch([a, foreign], [1, 2]); });
        Assert.Throws<ArgumentException>(() => { run.Model.FeedBatch([a, b], [1, TinyModels.Vocabulary]); });
        Assert.Throws<ObjectDisposedException>(() => { run.Model.FeedBatch([a, closed], [1, 2]); });
        Assert.Equal(0, a.Position);
        float[] expected = b.Feed([5]).ToArray();
        Assert.Equal(expected, run.Model.FeedBatch([a], [5]).ToArray());
    }
}
