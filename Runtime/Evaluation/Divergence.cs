namespace MambaRT.Evaluation;

/// <summary>How far a model's predictions are from those of a base model over a text.</summary>
/// <remarks>Keeps one double for each scored token, for the quantiles.</remarks>
public sealed class Divergence
{
    private readonly List<double> _divergences = [];
    private readonly RunningMean _divergence = new(), _change = new();
    private long _sameBest;
    private double[]? _sorted;

    /// <summary>The model's own loss.</summary>
    public TextLoss Loss { get; } = new();

    /// <summary>Mean of KL(base ‖ model) in nats.</summary>
    public double Mean => _divergence.Mean;

    /// <summary>Standard error of <see cref="Mean"/>.</summary>
    public double MeanError => _divergence.Error;

    /// <summary>The largest divergence of a token.</summary>
    public double Max => Quantile(1);

    /// <summary>Perplexity over that of the base.</summary>
    public double PerplexityRatio => Math.Exp(_change.Mean);

    /// <summary>Standard error of <see cref="PerplexityRatio"/>, to first order, of the differences token by token: much smaller than that of either perplexity.</summary>
    public double PerplexityRatioError => PerplexityRatio * _change.Error;

    /// <summary>Share of the positions at which both think the same token the most likely.</summary>
    public double SameBest => (double)_sameBest / Loss.Count;

    /// <summary>The largest distance of a logit from the base's.</summary>
    public double LargestLogitError { get; private set; }

    /// <summary>The divergence that a share of the tokens stays below, between neighbours in proportion.</summary>
    /// <param name="share">From 0 to 1, such as 0.5 for the median.</param>
    public double Quantile(double share)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(share);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share, 1);
        if (_divergences.Count == 0) return double.NaN;
        if (_sorted?.Length != _divergences.Count)
        {
            _sorted = [.. _divergences];
            Array.Sort(_sorted);
        }
        double at = share * (_sorted.Length - 1);
        int below = (int)at;
        double part = at - below;
        return part == 0 ? _sorted[below] : _sorted[below] + part * (_sorted[below + 1] - _sorted[below]);
    }

    /// <summary>Compares one position.</summary>
    internal void Add(int next, ReadOnlySpan<float> basis, double basisLogSum, int basisBest, ReadOnlySpan<float> row)
    {
        double logSum = LogProbs.LogSum(row), nats = logSum - row[next];
        double divergence = Logits.Divergence(basis, basisLogSum, row, logSum);
        Loss.Add(nats);
        _change.Add(nats - (basisLogSum - basis[next]));
        _divergence.Add(divergence);
        _divergences.Add(divergence);
        if (Logits.Best(row) == basisBest) _sameBest++;
        LargestLogitError = Math.Max(LargestLogitError, Logits.LargestDistance(basis, row));
    }
}
