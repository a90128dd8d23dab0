using System.Text;

namespace MambaRT.Bench;

/// <summary>The frame that HTML reports share: a page that needs nothing else, in the reader's light or dark scheme, and tables.</summary>
internal static class HtmlPage
{
    private const string Style = ":root{color-scheme:light dark;--ink:#1f2328;--ground:#fff;--bad:#b91c1c}@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--ground:#0d1117;--bad:#ff7b72}}"
        + "body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:var(--ink);background:var(--ground)}h2{margin-top:1.6em}"
        + "table{border-collapse:collapse;font-size:13px}td,th{padding:4px 8px;border-bottom:1px solid var(--grid);text-align:right;white-space:nowrap}td:first-child,th:first-child{text-align:left}"
        + "div{overflow-x:auto}.failed{color:var(--bad);font-weight:bold}" + SvgPlot.Style;

    /// <summary>Begins a page with its title and the program's version.</summary>
    public static StringBuilder Begin(string title, string version)
    {
        string heading = SvgPlot.Escape(title);
        return new StringBuilder($"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{heading}</title><style>{Style}</style></head><body>\n<h1>{heading}</h1>\n<p>{SvgPlot.Escape(version)}</p>\n");
    }

    /// <summary>Appends a list of lines.</summary>
    public static void AppendList(StringBuilder html, IEnumerable<string> lines)
    {
        html.Append("<ul>\n");
        foreach (string line in lines) html.Append($"<li>{SvgPlot.Escape(line)}</li>\n");
        html.Append("</ul>\n");
    }

    /// <summary>Appends a table.</summary>
    public static void AppendTable(StringBuilder html, IEnumerable<string> headers, IEnumerable<string[]> rows)
    {
        html.Append("<div><table><tr>").AppendJoin("", headers.Select(h => $"<th>{SvgPlot.Escape(h)}</th>")).Append("</tr>\n");
        foreach (string[] cells in rows)
            html.Append("<tr>").AppendJoin("", cells.Select(c => $"<td>{SvgPlot.Escape(c)}</td>")).Append("</tr>\n");
        html.Append("</table></div>\n");
    }

    /// <summary>Ends the page and gives its text.</summary>
    public static string End(StringBuilder html) => html.Append("</body></html>\n").ToString();
}
