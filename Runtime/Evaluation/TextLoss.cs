namespace MambaRT.Evaluation;

/// <summary>How well a model predicts a text: the mean of −ln p over the tokens that came.</summary>
public sealed class TextLoss
{
    private readonly RunningMean _nats = new();

    /// <summary>Tokens scored.</summary>
    public long Count => _nats.Count;

    /// <summary>Mean cost of a token in nats.</summary>
    public double Nats => _nats.Mean;

    /// <summary>Standard error of <see cref="Nats"/>.</summary>
    public double NatsError => _nats.Error;

    /// <summary>e to the power of <see cref="Nats"/>.</summary>
    public double Perplexity => Math.Exp(Nats);

    /// <summary>Standard error of the perplexity, to first order, as llama.cpp states it.</summary>
    public double PerplexityError => Perplexity * NatsError;

    /// <summary>Cost of a byte in bits, where the scored tokens stand for <paramref name="bytes"/> bytes of text.</summary>
    public double BitsPerByte(long bytes) => Nats * Count / Math.Log(2) / bytes;

    /// <summary>Scores consecutive positions.</summary>
    /// <param name="next">The token that came after each.</param>
    /// <param name="logits">[next.Length, vocabulary], finite.</param>
    public void Add(ReadOnlySpan<int> next, ReadOnlySpan<float> logits)
    {
        int vocabulary = logits.Length / next.Length;
        for (int i = 0; i < next.Length; i++)
        {
            ReadOnlySpan<float> row = logits.Slice(i * vocabulary, vocabulary);
            Add(LogProbs.LogSum(row) - row[next[i]]);
        }
    }

    /// <summary>Takes in what one token cost.</summary>
    internal void Add(double nats) => _nats.Add(nats);
}
