using System.Text;

namespace MambaRT.Bench;

/// <summary>A comparison as a part of a Markdown page.</summary>
public static class QualityMarkdown
{
    /// <summary>Writes what was measured and the tables.</summary>
    public static string Write(QualityRecord record)
    {
        var text = new StringBuilder();
        foreach (string line in QualityTable.Summary(record)) text.Append($"- {MarkdownReport.Plain(line)}\n");
        foreach (QualityTable table in QualityTable.Of(record))
        {
            text.Append($"\n{MarkdownReport.Plain(table.Title)}:\n\n");
            AppendRow(text, table.Headers);
            text.Append("|---|").Insert(text.Length, "---:|", table.Headers.Length - 1).Append('\n');
            foreach (string[] row in table.Rows) AppendRow(text, row);
        }
        return text.ToString();
    }

    private static void AppendRow(StringBuilder text, string[] cells) => text.Append("| ").AppendJoin(" | ", cells.Select(MarkdownReport.Plain)).Append(" |\n");
}
