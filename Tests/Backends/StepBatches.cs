using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Batches of one row a sequence, against the reference.</summary>
internal static class StepBatches
{
    /// <summary>One sequence has kernels of its own, up to eight share those of eight.</summary>
    private static readonly int[] Batches = [1, 3, 8];

    /// <summary>Feeds sequences together on a backend, each alone on the reference, and compares all logits.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="model">A tiny model.</param>
    /// <param name="type">What its matrices are stored in.</param>
    /// <param name="share">Of the largest logit: what others may err by.</param>
    public static void EqualTheReference(string backend, string model, QuantType type, double share)
    {
        using var run = new TinyRun(backend, model, type);
        using var reference = new TinyRun(TestBackends.Reference, model, type);
        foreach (int batch in Batches)
        {
            Session[] sessions = [.. Enumerable.Range(0, batch).Select(_ => run.Model.StartSession())], alone = [.. Enumerable.Range(0, batch).Select(_ => reference.Model.StartSession())];
            for (int t = 0; t < 6; t++)
            {
                int[] tokens = [.. Enumerable.Range(0, batch).Select(s => TinyModels.Token(t, s))];
                ReadOnlySpan<float> got = run.Model.FeedBatch(sessions, tokens);
                for (int s = 0; s < batch; s++) Check($"{batch} sequences, {s} at {t}", alone[s].Feed([tokens[s]]), got.Slice(s * TinyModels.Vocabulary, TinyModels.Vocabulary), share);
            }
            foreach (Session session in sessions.Concat(alone)) session.Dispose();
        }
    }

    private static void Check(string subject, ReadOnlySpan<float> expected, ReadOnlySpan<float> got, double share)
    {
        double scale = 0, worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            scale = Math.Max(scale, Math.Abs(expected[i]));
            double difference = Math.Abs((double)expected[i] - got[i]);
            worst = Math.Max(worst, double.IsNaN(difference) ? double.PositiveInfinity : difference);
        }
        Assert.True(worst <= share * scale, $"{subject}: {worst / scale:g3} of the largest is more than {share:g3}.");
    }
}
