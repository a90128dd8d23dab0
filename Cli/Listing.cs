using Spectre.Console;

namespace MambaRT.Cli;

/// <summary>Rows in columns: a table on a terminal that shows one, aligned plain text elsewhere. Cells may be text of a file.</summary>
internal static class Listing
{
    /// <summary>Writes a heading and the rows under their headers.</summary>
    public static void Write(Terminal terminal, string title, string[] headers, IReadOnlyList<string[]> rows)
    {
        if (rows.Count == 0) return;
        title = Show.Text(title);
        rows = [.. rows.Select(row => row.Select(cell => Show.Text(cell)).ToArray())];
        if (terminal.OutIsTerminal && terminal.Styled) WriteTable(terminal, title, headers, rows);
        else WritePlain(terminal.Out, title, headers, rows);
    }

    private static void WriteTable(Terminal terminal, string title, string[] headers, IReadOnlyList<string[]> rows)
    {
        var table = new Table { Border = TableBorder.Rounded, Title = new TableTitle(Markup.Escape(title)) };
        foreach (string header in headers) table.AddColumn(new TableColumn(new Text(header)));
        foreach (string[] row in rows) table.AddRow(row.Select(cell => new Text(cell)));
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal.RawOut) }).Write(table);
    }

    private static void WritePlain(TextWriter output, string title, string[] headers, IReadOnlyList<string[]> rows)
    {
        var widths = new int[headers.Length];
        for (int i = 0; i < headers.Length; i++) widths[i] = Math.Max(headers[i].Length, rows.Max(row => row[i].Length));
        output.WriteLine();
        output.WriteLine(title);
        foreach (string[] row in rows.Prepend(headers))
            output.WriteLine(string.Join("  ", row.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd());
    }
}
