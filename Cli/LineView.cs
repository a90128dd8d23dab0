using System.Globalization;
using System.Text;

namespace MambaRT.Cli;

/// <summary>Draws a line that is being edited, over as many rows as it takes, by ANSI sequences.</summary>
internal sealed class LineView(TextWriter screen, string prompt, Func<int> columns)
{
    private const char Escape = '\u001b';

    private int _cursorRow;

    /// <summary>Empties the screen.</summary>
    public void Clear()
    {
        screen.Write($"{Escape}[H{Escape}[2J");
        _cursorRow = 0;
    }

    /// <summary>Draws the text and puts the cursor before its character <paramref name="cursor"/>.</summary>
    public void Draw(string text, int cursor)
    {
        var output = new StringBuilder();
        if (_cursorRow > 0) output.Append(CultureInfo.InvariantCulture, $"{Escape}[{_cursorRow}A");
        output.Append(CultureInfo.InvariantCulture, $"\r{Escape}[J");
        int row = 0, column = 0, width = Math.Max(8, columns());
        (int Row, int Column) place = (0, 0);
        Put(output, prompt, width, ref row, ref column);
        for (int i = 0; i < text.Length;)
        {
            if (i == cursor) place = (row, column);
            int length = StringInfo.GetNextTextElementLength(text, i);
            Put(output, text.AsSpan(i, length), width, ref row, ref column);
            if (cursor > i && cursor < i + length) place = (row, column);
            i += length;
        }
        if (cursor >= text.Length) place = (row, column);
        if (row > place.Row) output.Append(CultureInfo.InvariantCulture, $"{Escape}[{row - place.Row}A");
        output.Append('\r');
        if (place.Column > 0) output.Append(CultureInfo.InvariantCulture, $"{Escape}[{place.Column}C");
        _cursorRow = place.Row;
        screen.Write(output.ToString());
        screen.Flush();
    }

    /// <summary>Rows are broken here, never by the terminal, whose cursor would then be anyone's guess.</summary>
    private static void Put(StringBuilder output, ReadOnlySpan<char> text, int width, ref int row, ref int column)
    {
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isBreak = rune.Value == '\n';
            int cells = isBreak ? 0 : Cells(rune);
            if (!isBreak) output.Append(rune.ToString());
            column += cells;
            if (!isBreak && column < width - 1) continue;   // the last column stays free, for wide characters and for the cursor
            output.Append("\r\n");
            row++;
            column = 0;
        }
    }

    /// <summary>Columns that a character takes: none for marks, two for East Asian wide ones and pictures.</summary>
    public static int Cells(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => 0,
        _ => rune.Value is (>= 0x1100 and <= 0x115F) or (>= 0x2E80 and <= 0xA4CF) or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF)
            or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60) or (>= 0xFFE0 and <= 0xFFE6) or (>= 0x1F300 and <= 0x1FAFF) or (>= 0x20000 and <= 0x3FFFD) ? 2 : 1,
    };
}
