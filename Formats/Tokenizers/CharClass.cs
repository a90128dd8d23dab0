using System.Globalization;
using System.Text;

namespace MambaRT.Formats;

/// <summary>What pre-tokenizers tell apart: Unicode's L, N, P, white space and the rest.</summary>
[Flags]
internal enum CharClass : byte
{
    /// <summary>Past the end of the text.</summary>
    None = 0,
    Letter = 1,
    Number = 2,
    Space = 4,
    Punctuation = 8,
    Other = 16,
    /// <summary>Neither white space nor letter nor number.</summary>
    Symbol = Punctuation | Other,
}

/// <summary>Classes of the code points of a text.</summary>
internal static class CharClasses
{
    private static readonly CharClass[] Ascii = [.. Enumerable.Range(0, 128).Select(value => Of(new Rune(value)))];

    /// <summary>Class of the code point at <paramref name="position"/>, <see cref="CharClass.None"/> at the end; a lone surrogate counts as U+FFFD.</summary>
    /// <param name="text">The text.</param>
    /// <param name="position">Where to look.</param>
    /// <param name="length">UTF-16 units of the code point; 0 at the end.</param>
    public static CharClass At(ReadOnlySpan<char> text, int position, out int length)
    {
        length = 0;
        if (position >= text.Length) return CharClass.None;
        length = 1;
        char unit = text[position];
        if (unit < 128) return Ascii[unit];
        Rune.DecodeFromUtf16(text[position..], out Rune rune, out length);
        return Of(rune);
    }

    private static CharClass Of(Rune rune) => Rune.IsWhiteSpace(rune) ? CharClass.Space : Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.OtherLetter => CharClass.Letter,
        >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber => CharClass.Number,
        >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation => CharClass.Punctuation,
        _ => CharClass.Other,
    };
}
