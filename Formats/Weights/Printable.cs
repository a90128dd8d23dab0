using System.Globalization;
using System.Text;

namespace MambaRT.Formats;

/// <summary>Makes text out of a file fit to be shown: what could act on a terminal is spelled out. Nothing else decides what that is.</summary>
internal static class Printable
{
    private const int MessageLength = 100;

    /// <summary>The text as a part of a message: <see cref="Line"/> with at most 100 characters.</summary>
    internal static string Text(string text) => Line(text, MessageLength);

    /// <summary>The text on one line: breaks, control and format characters and half surrogate pairs as \n, \r, \t or \u001b; what is longer than the limit is cut.</summary>
    public static string Line(string text, int limit = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length <= limit && !text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        var result = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (result.Length >= limit) return result.Append("...").ToString();
            char c = text[i];
            if (i + 1 < text.Length && char.IsSurrogatePair(c, text[i + 1])) result.Append(c).Append(text[++i]);
            else if (char.IsSurrogate(c) || IsActing(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format) result.Append(Spelled(c));
            else result.Append(c);
        }
        return result.ToString();
    }

    /// <summary>Whether a character acts on a terminal: control characters, line separators, and what turns the direction of writing.</summary>
    public static bool IsActing(char c) => char.IsControl(c)
        || c is '\u061C' or '\u200E' or '\u200F' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069');

    /// <summary>A character as its escape sequence, as JSON has it too.</summary>
    public static string Spelled(char c) => c switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
    };
}
