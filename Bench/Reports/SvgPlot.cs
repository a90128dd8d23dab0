using System.Globalization;
using System.Text;

namespace MambaRT.Bench;

/// <summary>One drawn series: points joined by a line, or dots alone.</summary>
internal sealed record SvgSeries(string Name, IReadOnlyList<(double X, double Y)> Points, bool Joined = true, bool Dashed = false);

/// <summary>Small plots as inline SVG.</summary>
internal static class SvgPlot
{
    private const double Width = 640, Height = 300, Left = 70, Right = 20, Top = 16, Bottom = 46, LegendLine = 16;

    private static readonly string[] Colours = ["#2563eb", "#dc2626", "#16a34a", "#9333ea", "#ea580c", "#0891b2", "#4b5563", "#ca8a04"];

    /// <summary>Horizontal bars, one a line.</summary>
    public static string Bars(string unit, IReadOnlyList<(string Label, double Value)> bars)
    {
        const double Label = 230, Line = 22;
        double most = bars.Count == 0 ? 1 : Math.Max(1e-9, bars.Max(b => b.Value)), height = bars.Count * Line + 24;
        StringBuilder svg = Open(height);
        for (int i = 0; i < bars.Count; i++)
        {
            double y = i * Line + 4, length = bars[i].Value / most * (Width - Label - 70);
            svg.Append($"<text x=\"{N(Label - 6)}\" y=\"{N(y + 13)}\" text-anchor=\"end\">{Escape(bars[i].Label)}</text>");
            svg.Append($"<rect x=\"{N(Label)}\" y=\"{N(y)}\" width=\"{N(length)}\" height=\"16\" fill=\"{Colours[0]}\"/>");
            svg.Append($"<text x=\"{N(Label + length + 5)}\" y=\"{N(y + 13)}\">{Text.Rate(bars[i].Value)}</text>");
        }
        svg.Append($"<text x=\"{N(Label)}\" y=\"{N(height - 5)}\">{Escape(unit)}</text></svg>");
        return svg.ToString();
    }

    /// <summary>Series over two axes; values that a logarithm has no place for are left out.</summary>
    public static string Lines(string xTitle, string yTitle, IReadOnlyList<SvgSeries> series, bool logX, bool logY)
    {
        double Place(double value, bool log) => log ? Math.Log10(value) : value;
        bool Shown((double X, double Y) p) => double.IsFinite(p.X) && double.IsFinite(p.Y) && (!logX || p.X > 0) && (!logY || p.Y > 0);
        (double X, double Y)[] all = [.. series.SelectMany(s => s.Points).Where(Shown).Select(p => (Place(p.X, logX), Place(p.Y, logY)))];
        if (all.Length == 0) return "<p>No measurement.</p>";
        (double x0, double x1) = Range(all.Min(p => p.X), all.Max(p => p.X), logX);
        (double y0, double y1) = Range(logY ? all.Min(p => p.Y) : 0, all.Max(p => p.Y), logY);
        double X(double x) => Left + (Place(x, logX) - x0) / (x1 - x0) * (Width - Left - Right);
        double Y(double y) => Height - Bottom - (Place(y, logY) - y0) / (y1 - y0) * (Height - Top - Bottom);

        StringBuilder svg = Open(Height + series.Count * LegendLine);
        foreach (double tick in Ticks(x0, x1, logX))
            svg.Append($"<line class=\"grid\" x1=\"{N(X(tick))}\" x2=\"{N(X(tick))}\" y1=\"{N(Top)}\" y2=\"{N(Height - Bottom)}\"/><text x=\"{N(X(tick))}\" y=\"{N(Height - Bottom + 15)}\" text-anchor=\"middle\">{Tick(tick)}</text>");
        foreach (double tick in Ticks(y0, y1, logY))
            svg.Append($"<line class=\"grid\" x1=\"{N(Left)}\" x2=\"{N(Width - Right)}\" y1=\"{N(Y(tick))}\" y2=\"{N(Y(tick))}\"/><text x=\"{N(Left - 6)}\" y=\"{N(Y(tick) + 4)}\" text-anchor=\"end\">{Tick(tick)}</text>");
        svg.Append($"<text x=\"{N((Left + Width - Right) / 2)}\" y=\"{N(Height - 12)}\" text-anchor=\"middle\">{Escape(xTitle)}</text><text x=\"4\" y=\"11\">{Escape(yTitle)}</text>");
        for (int i = 0; i < series.Count; i++)
        {
            string colour = Colours[i % Colours.Length];
            (double X, double Y)[] points = [.. series[i].Points.Where(Shown)];
            if (series[i].Joined)
                svg.Append($"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{(series[i].Dashed ? " stroke-dasharray=\"6 4\"" : "")} points=\"{string.Join(' ', points.Select(p => $"{N(X(p.X))},{N(Y(p.Y))}"))}\"/>");
            if (!series[i].Dashed)
                foreach ((double x, double y) in points) svg.Append($"<circle cx=\"{N(X(x))}\" cy=\"{N(Y(y))}\" r=\"3.5\" fill=\"{colour}\"/>");
            double at = Height + i * LegendLine;
            svg.Append($"<rect x=\"{N(Left)}\" y=\"{N(at)}\" width=\"12\" height=\"8\" fill=\"{colour}\"/><text x=\"{N(Left + 18)}\" y=\"{N(at + 9)}\">{Escape(series[i].Name)}</text>");
        }
        return svg.Append("</svg>").ToString();
    }

    /// <summary>Text as HTML has it.</summary>
    public static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal).Replace("\"", "&quot;", StringComparison.Ordinal);

    private static StringBuilder Open(double height) => new($"<svg viewBox=\"0 0 {N(Width)} {N(height)}\" width=\"{N(Width)}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">");

    private static (double, double) Range(double low, double high, bool log)
    {
        if (log) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        else high = low + (high - low) * 1.05;
        return high > low ? (low, high) : (low - 1, low + 1);
    }

    private static IEnumerable<double> Ticks(double low, double high, bool log)
    {
        double step = log ? 1 : Math.Pow(10, Math.Floor(Math.Log10(high - low)));
        if (!log && (high - low) / step < 4) step /= 4;
        for (double tick = Math.Ceiling(low / step) * step; tick <= high + step / 1000; tick += step) yield return log ? Math.Pow(10, tick) : tick;
    }

    private static string Tick(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);

    private static string N(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
