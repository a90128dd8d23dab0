using System.Text;

namespace MambaRT.Bench;

/// <summary>A comparison as one HTML page that needs nothing else: loss over bits per weight, and the tables.</summary>
public static class QualityHtml
{
    /// <summary>Writes the page.</summary>
    public static string Write(QualityRecord record)
    {
        StringBuilder html = HtmlPage.Begin($"Models against {record.Base.Name}", record.Version);
        HtmlPage.AppendList(html, QualityTable.Summary(record));
        if (record.Models.Count > 0)
        {
            html.Append("<h2>Divergence over bits per weight</h2>\n").Append(Plot(record, "mean KL, nats", d => d.Mean, logY: true));
            html.Append("\n<h2>Perplexity over bits per weight</h2>\n").Append(Plot(record, "change of perplexity, %", d => 100 * (d.PerplexityRatio - 1), logY: false));
        }
        if (record.Variants.Count > 0)
            html.Append($"\n<h2>What each tensor costs as {SvgPlot.Escape(record.VariantType)}</h2>\n").Append(SvgPlot.Bars("mean KL, nats",
                [.. QualityTable.Costliest(record.Variants).Select(Bar)], Text.Small));
        foreach (QualityTable table in QualityTable.Of(record))
        {
            html.Append($"\n<h2>{SvgPlot.Escape(table.Title)}</h2>\n");
            HtmlPage.AppendTable(html, table.Headers, table.Rows);
        }
        return HtmlPage.End(html);
    }

    private static string Plot(QualityRecord record, string yTitle, Func<Divergence, double> loss, bool logY)
    {
        QualityModel[] models = [.. record.Models.Where(m => m.Divergence is not null)];
        return SvgPlot.Lines("bits per weight", yTitle, [new SvgSeries("", 0, SvgMark.Labelled,
            [.. models.Select(m => new SvgPoint(m.BitsPerWeight, loss(m.Divergence!), Path.GetFileNameWithoutExtension(m.Name)))])],   // filtered above
            logX: false, logY);
    }

    /// <summary>One matrix has another colour than a kind in all layers.</summary>
    private static SvgBar Bar(QualityModel variant)
    {
        bool all = variant.Name.Contains('*');
        double loss = variant.Divergence?.Mean ?? 0;
        return new SvgBar(variant.Name.Replace(".weight", "", StringComparison.Ordinal), all ? "all layers" : "one matrix", all ? 1 : 0, loss, $"{variant.Name}: {Text.Small(loss)} nats");
    }
}
