namespace MambaRT.Formats;

/// <summary>Finds where words end. Each rule looks at a character a bounded number of times, so cutting a text is linear.</summary>
internal static class WordScanner
{
    /// <summary>End of the piece that begins at <paramref name="start"/>, more than <paramref name="start"/>.</summary>
    /// <param name="rule">How to cut.</param>
    /// <param name="text">The text; what lies outside is not looked at.</param>
    /// <param name="start">Where the piece before ended; less than the text's length.</param>
    public static int End(WordRule rule, ReadOnlySpan<char> text, int start) => rule switch
    {
        WordRule.Gpt2 => Gpt2(text, start),
        WordRule.Llama3 => Llama3(text, start, maxNumbers: 3),
        WordRule.Qwen2 => Llama3(text, start, maxNumbers: 1),
        WordRule.Symbols => SymbolRun(text, start, withBacktick: false),
        WordRule.SymbolsAndBacktick => SymbolRun(text, start, withBacktick: true),
        WordRule.NumberRuns => NumberRun(text, start),
        WordRule.SingleNumbers => SingleNumber(text, start),
        WordRule.DigitTriples => DigitTriple(text, start),
        _ => throw new ArgumentOutOfRangeException(nameof(rule)),
    };

    private static int Gpt2(ReadOnlySpan<char> text, int start)
    {
        int contraction = Contraction(text, start, ignoreCase: false);
        if (contraction > 0) return start + contraction;
        int first = text[start] == ' ' ? start + 1 : start;
        CharClass kind = CharClasses.At(text, first, out _);
        if (kind is CharClass.None or CharClass.Space) return SpaceEnd(text, start);
        return Run(text, first, (kind & CharClass.Symbol) != 0 ? CharClass.Symbol : kind);
    }

    private static int Llama3(ReadOnlySpan<char> text, int start, int maxNumbers)
    {
        int contraction = Contraction(text, start, ignoreCase: true);
        if (contraction > 0) return start + contraction;

        CharClass kind = CharClasses.At(text, start, out int length);
        if (kind == CharClass.Letter) return Run(text, start, CharClass.Letter);
        if (kind == CharClass.Number) return UpTo(text, start, maxNumbers);
        bool isLineEnd = text[start] is '\r' or '\n';
        if (!isLineEnd && CharClasses.At(text, start + length, out _) == CharClass.Letter) return Run(text, start + length, CharClass.Letter);

        int first = text[start] == ' ' ? start + 1 : start;
        if ((CharClasses.At(text, first, out _) & CharClass.Symbol) != 0)
        {
            int end = Run(text, first, CharClass.Symbol);
            while (end < text.Length && text[end] is '\r' or '\n') end++;
            return end;
        }
        ReadOnlySpan<char> spaces = text[start..Run(text, start, CharClass.Space)];
        int lineEnd = spaces.LastIndexOfAny('\r', '\n');
        return lineEnd >= 0 ? start + lineEnd + 1 : SpaceEnd(text, start);
    }

    /// <summary>Length of an English contraction's tail, or 0.</summary>
    private static int Contraction(ReadOnlySpan<char> text, int start, bool ignoreCase)
    {
        if (text[start] != '\'' || start + 1 >= text.Length) return 0;
        int lower = ignoreCase ? 0x20 : 0;
        char first = Lower(text[start + 1], lower);
        if (first is 's' or 't' or 'm' or 'd') return 2;
        if (start + 2 >= text.Length) return 0;
        return (first, Lower(text[start + 2], lower)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    private static char Lower(char unit, int bit) => unit is >= 'A' and <= 'Z' ? (char)(unit | bit) : unit;

    /// <summary><c>\s+(?!\S)|\s+</c>: before a word the last space is left to it; every white space is one UTF-16 unit.</summary>
    private static int SpaceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = Run(text, start, CharClass.Space);
        return end < text.Length && end - start > 1 ? end - 1 : end;
    }

    private static int Run(ReadOnlySpan<char> text, int position, CharClass kinds)
    {
        while ((CharClasses.At(text, position, out int length) & kinds) != 0) position += length;
        return position;
    }

    private static int UpTo(ReadOnlySpan<char> text, int position, int maxNumbers)
    {
        for (int i = 0; i < maxNumbers && CharClasses.At(text, position, out int length) == CharClass.Number; i++) position += length;
        return position;
    }

    private static int SymbolRun(ReadOnlySpan<char> text, int start, bool withBacktick)
    {
        bool wanted = IsSymbol(text, start, withBacktick, out int length);
        int end = start + length;
        while (end < text.Length && IsSymbol(text, end, withBacktick, out length) == wanted) end += length;
        return end;
    }

    private static bool IsSymbol(ReadOnlySpan<char> text, int position, bool withBacktick, out int length) =>
        CharClasses.At(text, position, out length) == CharClass.Punctuation
        || text[position] is '$' or '+' or '<' or '=' or '>' or '^' or '~' or '|' || (withBacktick && text[position] == '`');

    private static int NumberRun(ReadOnlySpan<char> text, int start)
    {
        int end = Run(text, start, CharClass.Number);
        return end > start ? end : Run(text, start, ~CharClass.Number);
    }

    private static int SingleNumber(ReadOnlySpan<char> text, int start)
    {
        int end = UpTo(text, start, 1);
        return end > start ? end : Run(text, start, ~CharClass.Number);
    }

    private static int DigitTriple(ReadOnlySpan<char> text, int start)
    {
        for (int end = start, digits = 0; end < text.Length; end++)
        {
            digits = char.IsAsciiDigit(text[end]) ? digits + 1 : 0;
            if (digits == 3) return end - 2 > start ? end - 2 : end + 1;
        }
        return text.Length;
    }
}
