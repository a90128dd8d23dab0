namespace MambaRT.Bench;

/// <summary>A comparison as a table: the same columns for a terminal, Markdown and HTML.</summary>
public sealed class QualityTable
{
    private readonly bool _withSpeed;

    private QualityTable(string title, IReadOnlyList<QualityModel> models)
    {
        Title = title;
        _withSpeed = models.Any(m => double.IsFinite(m.TokensPerSecond));
        string[] headers = ["model", "MiB", "bits/weight", "perplexity", "change", "KL mean", "KL median", "KL 99 %", "KL max", "same top", "logit error"];
        Headers = _withSpeed ? [.. headers, "tokens/s"] : headers;
        Rows = [.. models.Select(Cells)];
    }

    /// <summary>What it shows.</summary>
    public string Title { get; }

    /// <summary>Titles of the columns.</summary>
    public string[] Headers { get; }

    /// <summary>A row a model.</summary>
    public IReadOnlyList<string[]> Rows { get; }

    /// <summary>The tables of a comparison: models with the base first, then the variants with the costliest first.</summary>
    public static IEnumerable<QualityTable> Of(QualityRecord record)
    {
        if (record.Models.Count > 0 || record.Variants.Count == 0) yield return new QualityTable($"Against {record.Base.Name}", [record.Base, .. record.Models]);
        if (record.Variants.Count > 0)
            yield return new QualityTable($"{record.Base.Name} with single tensors, or one kind in all layers (*), as {record.VariantType}", [record.Base with { TokensPerSecond = double.NaN }, .. Costliest(record.Variants)]);
    }

    /// <summary>What was measured, in lines.</summary>
    public static IEnumerable<string> Summary(QualityRecord record)
    {
        TokenWindows text = record.Windows;
        yield return $"text: {record.Text}, {text.TextLength} tokens; {text.Count} windows of {text.Length}, each from the zero state, {text.Scored} tokens scored";
        yield return $"backend: {record.Backend}";
        yield return "perplexity and its change against the base with standard errors; KL(base ‖ model) of the next token in nats, with the standard error of its mean; "
            + "same top: both think the same token the most likely; logit error: the largest distance of a logit";
    }

    /// <summary>The variants, the largest mean divergence first.</summary>
    internal static IEnumerable<QualityModel> Costliest(IReadOnlyList<QualityModel> variants) => variants.OrderByDescending(v => v.Divergence?.Mean ?? 0);

    private string[] Cells(QualityModel m)
    {
        var cells = new List<string>
        {
            m.Name, Text.Fixed(m.Bytes / 1048576.0, 2), Text.Fixed(m.BitsPerWeight, 2), $"{Text.Fixed(m.Loss.Perplexity, 4)} ± {Text.Fixed(m.Loss.PerplexityError, 4)}",
        };
        if (m.Divergence is { } d)
            cells.AddRange(
                $"{100 * (d.PerplexityRatio - 1):+0.00;-0.00;0.00} ± {Text.Fixed(100 * d.PerplexityRatioError, 2)} %", $"{Text.Small(d.Mean)} ± {Text.Small(d.MeanError)}",
                Text.Small(d.Quantile(0.5)), Text.Small(d.Quantile(0.99)), Text.Small(d.Max), Text.Fixed(100 * d.SameBest, 2) + " %", Text.Small(d.LargestLogitError));
        else cells.AddRange("-", "-", "-", "-", "-", "-", "-");
        if (_withSpeed) cells.Add(Text.Rate(m.TokensPerSecond));
        return [.. cells];
    }
}
