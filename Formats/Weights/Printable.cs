using System.Text;

namespace MambaRT.Formats;

/// <summary>Makes text out of a file fit for one line of a message.</summary>
internal static class Printable
{
    private const int MaxLength = 100;

    /// <summary>The text with control characters and line separators escaped and a long tail cut.</summary>
    internal static string Text(string text)
    {
        if (text.Length <= MaxLength && !text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        var result = new StringBuilder();
        foreach (char c in text)
        {
            if (result.Length >= MaxLength) return result.Append('…').ToString();
            if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029') result.Append($"\\u{(int)c:x4}");
            else result.Append(c);
        }
        return result.ToString();
    }
}
