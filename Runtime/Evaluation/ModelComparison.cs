namespace MambaRT.Evaluation;

/// <summary>Compares models with a base model over a text, position by position; the base comes first in each chunk.</summary>
/// <remarks>Holds one chunk of the base's logits. Feed it by <see cref="WindowedScoring.Run"/>.</remarks>
public sealed class ModelComparison
{
    private readonly Divergence[] _divergences;
    private float[] _basis = [];
    private double[] _logSums = [];
    private int[] _best = [];

    /// <summary>Makes room for the results.</summary>
    /// <param name="models">Models besides the base.</param>
    public ModelComparison(int models)
    {
        _divergences = new Divergence[models];
        for (int i = 0; i < models; i++) _divergences[i] = new Divergence();
    }

    /// <summary>The base's own loss.</summary>
    public TextLoss Base { get; } = new();

    /// <summary>What was found of each model.</summary>
    public IReadOnlyList<Divergence> Models => _divergences;

    /// <summary>Takes in consecutive positions; a <see cref="RowScorer"/>.</summary>
    /// <param name="model">0 for the base, then the others from 1 on, over the same positions.</param>
    /// <param name="next">The token that came after each position.</param>
    /// <param name="logits">[next.Length, vocabulary], finite.</param>
    public void Add(int model, ReadOnlySpan<int> next, ReadOnlySpan<float> logits)
    {
        int vocabulary = logits.Length / next.Length;
        if (model == 0) Keep(next, logits, vocabulary);
        else
            for (int i = 0; i < next.Length; i++)
                _divergences[model - 1].Add(next[i], _basis.AsSpan(i * vocabulary, vocabulary), _logSums[i], _best[i], logits.Slice(i * vocabulary, vocabulary));
    }

    private void Keep(ReadOnlySpan<int> next, ReadOnlySpan<float> logits, int vocabulary)
    {
        if (_basis.Length < logits.Length) _basis = new float[logits.Length];
        if (_logSums.Length < next.Length) (_logSums, _best) = (new double[next.Length], new int[next.Length]);
        logits.CopyTo(_basis);
        for (int i = 0; i < next.Length; i++)
        {
            ReadOnlySpan<float> row = logits.Slice(i * vocabulary, vocabulary);
            _logSums[i] = LogProbs.LogSum(row);
            _best[i] = Logits.Best(row);
            Base.Add(_logSums[i] - row[next[i]]);
        }
    }
}
