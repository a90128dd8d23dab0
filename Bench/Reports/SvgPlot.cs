using System.Globalization;
using System.Text;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>How a series is drawn.</summary>
internal enum SvgMark : byte
{
    /// <summary>Points joined by a line.</summary>
    Line,
    /// <summary>A dashed line without points: a limit.</summary>
    Limit,
    /// <summary>Circles alone.</summary>
    Circles,
    /// <summary>Squares alone.</summary>
    Squares,
    /// <summary>Circles with their notes beside them.</summary>
    Labelled,
}

/// <summary>A point, and what it says under the mouse.</summary>
internal sealed record SvgPoint(double X, double Y, string Note = "");

/// <summary>A drawn series.</summary>
/// <param name="Name">Its name in the legend; empty for none.</param>
/// <param name="Colour">Number of its colour; see <see cref="SvgPlot.Style"/>.</param>
/// <param name="Mark">How it is drawn.</param>
/// <param name="Points">In the order in which they are joined.</param>
internal sealed record SvgSeries(string Name, int Colour, SvgMark Mark, IReadOnlyList<SvgPoint> Points);

/// <summary>One bar.</summary>
/// <param name="Group">What stands before it; bars of the same group follow each other.</param>
/// <param name="Name">Its name in the legend.</param>
/// <param name="Colour">Number of its colour.</param>
/// <param name="Value">Its length.</param>
/// <param name="Note">What it says under the mouse.</param>
internal sealed record SvgBar(string Group, string Name, int Colour, double Value, string Note);

/// <summary>Small plots as inline SVG, whose colours follow the page's light or dark scheme.</summary>
internal static class SvgPlot
{
    /// <summary>Colours there are.</summary>
    public const int Colours = 6;

    /// <summary>What a page needs for the plots. Colours: Okabe and Ito, told apart by colour-blind readers too; lighter ones on dark ground.</summary>
    public const string Style = ":root{--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#b58900;--c5:#6b7280;--grid:#e5e7eb}"
        + "@media(prefers-color-scheme:dark){:root{--c0:#56b4e9;--c1:#f0883e;--c2:#2fc59a;--c3:#e29cc3;--c4:#f0e442;--c5:#9ca3af;--grid:#30363d}}"
        + "svg{max-width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:currentColor}.grid{stroke:var(--grid)}.axis{stroke:currentColor;stroke-opacity:.5}"
        + ".f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}.f5{fill:var(--c5)}"
        + ".s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}";

    private const double Width = 720, Height = 320, Left = 64, Right = 24, Top = 22, Bottom = 40, Line = 20;

    /// <summary>Horizontal bars, in groups.</summary>
    /// <param name="unit">What the lengths count.</param>
    /// <param name="bars">In order from above.</param>
    /// <param name="show">How a value is written.</param>
    public static string Bars(string unit, IReadOnlyList<SvgBar> bars, Func<double, string> show)
    {
        const double Label = 120, Value = 64, Gap = 8;
        if (bars.Count == 0) return Nothing;
        double most = Math.Max(1e-9, bars.Max(b => b.Value)), y = Top;
        var rows = new StringBuilder();
        for (int i = 0; i < bars.Count; i++)
        {
            SvgBar bar = bars[i];
            bool first = i == 0 || bars[i - 1].Group != bar.Group;
            if (first && i > 0) y += Gap;
            if (first) rows.Append($"<text x=\"{N(Label - 8)}\" y=\"{N(y + 13)}\" text-anchor=\"end\">{Escape(bar.Group)}</text>");
            double length = Math.Max(1, bar.Value / most * (Width - Label - Value));
            rows.Append($"<rect class=\"f{bar.Colour}\" x=\"{N(Label)}\" y=\"{N(y)}\" width=\"{N(length)}\" height=\"16\" rx=\"2\"><title>{Escape(bar.Note)}</title></rect>")
                .Append($"<text x=\"{N(Label + length + 6)}\" y=\"{N(y + 13)}\">{Escape(show(bar.Value))}</text>");
            y += Line;
        }
        StringBuilder svg = Open(y + Gap + Line).Append($"<text x=\"{N(Label)}\" y=\"12\">{Escape(unit)}</text>").Append(rows);
        Legend(svg, y + Gap, Label, bars.DistinctBy(b => b.Name).Select(b => (b.Name, b.Colour, SvgMark.Squares)));
        return svg.Append("</svg>").ToString();
    }

    /// <summary>Series over two axes; values that a logarithm has no place for are left out.</summary>
    /// <param name="xTitle">What the horizontal axis counts.</param>
    /// <param name="yTitle">What the vertical axis counts.</param>
    /// <param name="series">What is drawn, later ones above.</param>
    /// <param name="logX">Whether the horizontal axis is logarithmic.</param>
    /// <param name="logY">Whether the vertical axis is; 0 is on it otherwise.</param>
    public static string Lines(string xTitle, string yTitle, IReadOnlyList<SvgSeries> series, bool logX, bool logY)
    {
        bool Shown(SvgPoint p) => double.IsFinite(p.X) && double.IsFinite(p.Y) && (!logX || p.X > 0) && (!logY || p.Y > 0);
        SvgPoint[] all = [.. series.SelectMany(s => s.Points).Where(Shown)];
        if (all.Length == 0) return Nothing;
        double[] xs = Ticks(all.Min(p => p.X), all.Max(p => p.X), logX), ys = Ticks(all.Min(p => p.Y), all.Max(p => p.Y), logY);
        double X(double x) => Left + Share(x, xs, logX) * (Width - Left - Right);
        double Y(double y) => Height - Bottom - Share(y, ys, logY) * (Height - Top - Bottom);

        StringBuilder svg = Open(Height + Line);
        foreach (double tick in xs)
            svg.Append($"<line class=\"grid\" x1=\"{N(X(tick))}\" x2=\"{N(X(tick))}\" y1=\"{N(Top)}\" y2=\"{N(Height - Bottom)}\"/><text x=\"{N(X(tick))}\" y=\"{N(Height - Bottom + 16)}\" text-anchor=\"middle\">{Tick(tick)}</text>");
        foreach (double tick in ys)
            svg.Append($"<line class=\"grid\" x1=\"{N(Left)}\" x2=\"{N(Width - Right)}\" y1=\"{N(Y(tick))}\" y2=\"{N(Y(tick))}\"/><text x=\"{N(Left - 7)}\" y=\"{N(Y(tick) + 4)}\" text-anchor=\"end\">{Tick(tick)}</text>");
        svg.Append($"<path class=\"axis\" fill=\"none\" d=\"M{N(Left)} {N(Top)}V{N(Height - Bottom)}H{N(Width - Right)}\"/>")
            .Append($"<text x=\"{N(Width - Right)}\" y=\"{N(Height - 8)}\" text-anchor=\"end\">{Escape(xTitle)}</text><text x=\"{N(Left)}\" y=\"12\">{Escape(yTitle)}</text>");
        foreach (SvgSeries s in series) Draw(svg, s, [.. s.Points.Where(Shown).Select(p => p with { X = X(p.X), Y = Y(p.Y) })]);
        Legend(svg, Height, Left, series.Where(s => s.Name.Length > 0).Select(s => (s.Name, s.Colour, s.Mark)));
        return svg.Append("</svg>").ToString();
    }

    /// <summary>Text as HTML has it.</summary>
    public static string Escape(string text) => Printable.Line(text).Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal).Replace("\"", "&quot;", StringComparison.Ordinal);

    private const string Nothing = "<p>No measurement.</p>";

    private static StringBuilder Open(double height) => new($"<svg viewBox=\"0 0 {N(Width)} {N(height)}\" width=\"{N(Width)}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">");

    private static void Draw(StringBuilder svg, SvgSeries series, SvgPoint[] points)
    {
        if (series.Mark is SvgMark.Line or SvgMark.Limit)
            svg.Append($"<polyline class=\"s{series.Colour}\" fill=\"none\" stroke-width=\"{(series.Mark == SvgMark.Line ? "2" : "1.5\" stroke-dasharray=\"6 4")}\" points=\"{string.Join(' ', points.Select(p => $"{N(p.X)},{N(p.Y)}"))}\"/>");
        if (series.Mark == SvgMark.Limit && points.Length > 0 && points[^1].Note.Length > 0)
            svg.Append($"<text x=\"{N(points[^1].X)}\" y=\"{N(points[^1].Y - 5)}\" text-anchor=\"end\">{Escape(points[^1].Note)}</text>");
        if (series.Mark == SvgMark.Limit) return;
        foreach (SvgPoint p in points)
        {
            svg.Append(series.Mark == SvgMark.Squares
                ? $"<rect class=\"f{series.Colour}\" x=\"{N(p.X - 4)}\" y=\"{N(p.Y - 4)}\" width=\"8\" height=\"8\"><title>{Escape(p.Note)}</title></rect>"
                : $"<circle class=\"f{series.Colour}\" cx=\"{N(p.X)}\" cy=\"{N(p.Y)}\" r=\"{(points.Length > 20 ? 2 : 4)}\"><title>{Escape(p.Note)}</title></circle>");
            bool left = p.X > 0.7 * Width;   // where there is more room on that side
            if (series.Mark == SvgMark.Labelled) svg.Append($"<text x=\"{N(p.X + (left ? -7 : 7))}\" y=\"{N(p.Y - 4)}\"{(left ? " text-anchor=\"end\"" : "")}>{Escape(p.Note)}</text>");
        }
    }

    /// <summary>One line of marks and names.</summary>
    private static void Legend(StringBuilder svg, double y, double x, IEnumerable<(string Name, int Colour, SvgMark Mark)> entries)
    {
        const double LetterWidth = 6.4;
        foreach ((string name, int colour, SvgMark mark) in entries)
        {
            svg.Append(mark switch
            {
                SvgMark.Squares => $"<rect class=\"f{colour}\" x=\"{N(x)}\" y=\"{N(y + 2)}\" width=\"10\" height=\"10\"/>",
                SvgMark.Limit => $"<line class=\"s{colour}\" x1=\"{N(x - 6)}\" x2=\"{N(x + 12)}\" y1=\"{N(y + 7)}\" y2=\"{N(y + 7)}\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"/>",
                _ => $"<circle class=\"f{colour}\" cx=\"{N(x + 5)}\" cy=\"{N(y + 7)}\" r=\"5\"/>",
            });
            svg.Append($"<text x=\"{N(x + 16)}\" y=\"{N(y + 11)}\">{Escape(name)}</text>");
            x += 16 + name.Length * LetterWidth + 20;
        }
    }

    /// <summary>Where a value lies between the first tick and the last, 0 to 1.</summary>
    private static double Share(double value, double[] ticks, bool log) => log
        ? Math.Log(value / ticks[0]) / Math.Log(ticks[^1] / ticks[0])
        : (value - ticks[0]) / (ticks[^1] - ticks[0]);

    /// <summary>Round values from below the least to above the most, 0 among them where not logarithmic.</summary>
    private static double[] Ticks(double least, double most, bool log)
    {
        if (!log)
        {
            (least, most) = (Math.Min(0, least), Math.Max(0, most));
            double step = RoundUp(Math.Max(most - least, 1e-9) / 6);
            int first = (int)Math.Floor(least / step + 1e-9), last = Math.Max(first + 1, (int)Math.Ceiling(most / step - 1e-9));
            return [.. Enumerable.Range(first, last - first + 1).Select(i => i * step)];
        }
        if (most / least > 200)
        {
            int low = (int)Math.Floor(Math.Log10(least)), high = Math.Max(low + 1, (int)Math.Ceiling(Math.Log10(most)));
            return [.. Enumerable.Range(low, high - low + 1).Select(e => Math.Pow(10, e))];
        }
        // Powers of two suit lengths of prompts.
        int from = (int)Math.Floor(Math.Log2(least)), to = Math.Max(from + 1, (int)Math.Ceiling(Math.Log2(most)));
        return [.. Enumerable.Range(from, to - from + 1).Select(e => Math.Pow(2, e))];
    }

    /// <summary>1, 2 or 5 times a power of ten, not below the value.</summary>
    private static double RoundUp(double value)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(value))), digit = value / power;
        return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
    }

    private static string Tick(double value) => value.ToString(value is > 0 and < 1e-3 ? "0.#e-0" : "#,0.####", CultureInfo.InvariantCulture);

    private static string N(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
