using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>Compares logits with Reference: a fast wrong answer is worth nothing.</summary>
internal static class LogitsCheck
{
    /// <summary>Rows compared: a prompt of all but the last two, which are fed one at a time.</summary>
    public const int Tokens = 8;

    private const int Singles = 2;

    /// <summary>
    /// Float weights are multiplied in float32, so that only the order of additions differs. For quantized weights activations are rounded to
    /// 8 bit: of normally distributed values in blocks of 32 that is a relative square error of about 2.3e-5, and the errors of all products
    /// add up on the way to the logits. Products of activations and gates have heavier tails, and random weights amplify what went before:
    /// up to 8e-5 a product was seen. A kernel that is wrong yields errors near 1.
    /// </summary>
    public static double Bound(Plan plan, GgufFile file)
    {
        int rounded = 0;
        foreach (Op op in plan.Ops)
            if (op is LinearOp linear && file.TryGet(plan.Weights[linear.Weight.Index].Name, out TensorView view) && view.Type.BlockLength > 1) rounded++;
        return 1e-6 + rounded * 1.5e-4;
    }

    /// <summary>Logits [8, vocabulary] from the zero state.</summary>
    public static float[] Logits(Model model, CancellationToken cancel)
    {
        int vocabulary = model.Plan.VocabularySize;
        int[] tokens = Stream(Tokens, vocabulary, 0);
        var rows = new float[(long)Tokens * vocabulary];
        using Session session = model.StartSession();
        session.FeedAll(tokens.AsSpan(0, Tokens - Singles), cancel).CopyTo(rows);
        for (int i = Tokens - Singles; i < Tokens; i++) session.Feed(tokens.AsSpan(i, 1), cancel).CopyTo(rows.AsSpan(i * vocabulary));
        return rows;
    }

    /// <summary>Normalised mean square error; not a number where a logit is not finite.</summary>
    public static double Nmse(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        double error = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = (double)actual[i] - expected[i];
            error += difference * difference;
            norm += (double)expected[i] * expected[i];
        }
        return error / norm;
    }

    /// <summary>Token ids spread over a vocabulary.</summary>
    public static int[] Stream(int count, int vocabulary, int stream)
    {
        var random = new RandomBits((ulong)stream + 1);
        var tokens = new int[count];
        for (int i = 0; i < count; i++) tokens[i] = (int)(random.Next() % (uint)vocabulary);
        return tokens;
    }
}
