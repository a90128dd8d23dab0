namespace MambaRT.Chat;

/// <summary>Texts fitted to a width, as Python and Jinja do it. Source: Python, str methods and textwrap.py; Jinja 3.1, filters.py.</summary>
internal static class TemplateLayout
{
    private const int Leeway = 5;   // by which truncate spares a text that is hardly too long

    /// <summary>"center", "ljust", "rjust": fills up to a width; "zfill" with zeros behind a sign.</summary>
    public static string Pad(string text, string method, long width, string fill, TemplateRun run, int line)
    {
        int length = TemplateStrings.Length(text, run, line);
        long room = Math.Max(0, width - length);
        if (room == 0) return text;
        string plain = run.Plain(fill, line);
        if (TemplateStrings.Length(plain, run, line) != 1) throw TemplateToken.Error(line, $"{method} fills with a single character.");
        long left = method switch
        {
            "center" => room / 2 + (room & width & 1),
            "ljust" => 0,
            _ => room,
        };
        run.ChargeText(room * fill.Length + text.Length, line);
        int sign = method == "zfill" && run.Plain(text, line) is ['+' or '-', ..] ? 1 : 0;
        return text[..sign] + TemplateStrings.Repeat(fill, (int)left) + text[sign..] + TemplateStrings.Repeat(fill, (int)(room - left));
    }

    /// <summary>Replaces tabs by as many spaces as lead to the next column that is a multiple of a size.</summary>
    public static string ExpandTabs(string text, long size, TemplateRun run, int line)
    {
        string plain = run.Plain(text, line);
        var output = new TemplateWriter();
        long column = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (plain[i] == '\t')
            {
                long room = size > 0 ? size - column % size : 0;
                run.ChargeText(room, line);
                output.Append(' ', (int)room, run, line);
                column += room;
                continue;
            }
            output.Append(text[i], 1, run, line);
            if (!char.IsLowSurrogate(plain[i])) column = plain[i] is '\n' or '\r' ? 0 : column + 1;
        }
        return output.ToText(run, line);
    }

    /// <summary>Cuts a text that is longer than a length, at a space unless told otherwise, and writes an end behind.</summary>
    public static string Truncate(string text, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        string end = arguments.StringAt(2, "end", "...", line) ?? "";
        long length = arguments.At(0, "length", 255L) is long n ? n : 255, leeway = arguments.At(3, "leeway", null) is long l ? l : Leeway;
        int ending = TemplateStrings.Length(end, run, line);
        if (length < ending || leeway < 0) throw TemplateToken.Error(line, $"truncate needs a length of at least {ending} and a leeway of at least 0.");
        if (TemplateStrings.Length(text, run, line) <= (Int128)length + leeway) return text;
        int cut = TemplateStrings.PlaceOf(text, length - ending, run, line);
        run.ChargeText(cut + end.Length, line);
        bool kills = TemplateValues.Truth(arguments.At(1, "killwords", false));
        int space = kills ? -1 : run.Plain(text, line).LastIndexOf(' ', Math.Max(0, cut - 1), cut);
        return string.Concat(text.AsSpan(0, space < 0 ? cut : space), end);
    }

    /// <summary>Breaks lines that are longer than a width at spaces and hyphens, and words that are longer anywhere.</summary>
    public static string WordWrap(string text, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        if (arguments.At(0, "width", 79L) is not (long width and > 0)) throw TemplateToken.Error(line, "wordwrap needs a width of at least 1.");
        bool breaks = TemplateValues.Truth(arguments.At(1, "break_long_words", true));
        string joint = arguments.StringAt(2, "wrapstring", null, line) ?? "\n";
        bool hyphens = TemplateValues.Truth(arguments.At(3, "break_on_hyphens", true));
        var output = new TemplateWriter();
        List<object?> rows = TemplateStrings.Lines(text, keepsEnds: false, run, line);
        for (int i = 0; i < rows.Count; i++)
        {
            if (i > 0) output.Append(joint, run, line);
            Wrap((string)rows[i]!, width, breaks, hyphens, joint, output, run, line);   // lines are texts
        }
        return output.ToText(run, line);
    }

    private static void Wrap(string row, long width, bool breaks, bool hyphens, string joint, TemplateWriter output, TemplateRun run, int line)
    {
        string plain = run.Plain(row, line);
        run.Touch(8L * row.Length, line);
        for (int at = 0, lines = 0; at < row.Length;)
        {
            if (lines > 0 && IsBlank(plain[at])) at = Chunk(plain, at, hyphens);
            int start = at, end = at;
            while (end < row.Length && Chunk(plain, end, hyphens) is var next && next - start <= width) end = next;
            if (end < row.Length && Chunk(plain, end, hyphens) is var whole && whole - end > width)   // it fits no line
            {
                if (breaks) end = LongCut(plain, end, (int)(width - (end - start)), hyphens);
                else if (end == start) end = whole;
            }
            at = end;
            while (end > start && IsBlank(plain[end - 1])) end--;
            if (end == start) continue;
            if (lines++ > 0) output.Append(joint, run, line);
            output.Append(row.AsSpan(start, end - start), run, line);
        }
    }

    /// <summary>Where a word that is cut anywhere is cut: behind its last hyphen that fits, where it may break there.</summary>
    private static int LongCut(string row, int start, int room, bool hyphens)
    {
        int hyphen = hyphens && room > 0 ? row.LastIndexOf('-', start + room - 1, room) : -1;
        bool some = hyphen > start && row.AsSpan(start, hyphen - start).ContainsAnyExcept('-');
        return some ? hyphen + 1 : start + room;
    }

    /// <summary>The end of the blanks, or of the part of a word up to where it may break, that begin at a place.</summary>
    private static int Chunk(string row, int at, bool hyphens)
    {
        bool blank = IsBlank(row[at]);
        int dash = blank || !hyphens ? at : Dash(row, at);
        if (dash > at) return dash;
        int end = at + 1;
        for (; end < row.Length && IsBlank(row[end]) == blank; end++)
        {
            if (blank || !hyphens) continue;
            bool hyphenated = row[end - 1] == '-' && end - 1 > at && IsLetter(row, end - 2) && (IsLetter(row, end - 3) || (Is(row, end - 3, '-') && IsLetter(row, end - 4)))
                && IsLetter(row, end) && (IsLetter(row, end + 1) || (Is(row, end + 1, '-') && IsLetter(row, end + 2)));
            if (hyphenated || Dash(row, end) > end) break;
        }
        return end;
    }

    /// <summary>The end of a dash of several hyphens between words; where there is none, the place itself.</summary>
    private static int Dash(string row, int at)
    {
        if (!Is(row, at, '-') || !Is(row, at + 1, '-') || at == 0 || !(IsLetter(row, at - 1) || char.IsDigit(row[at - 1]) || "!\"'&.,?".Contains(row[at - 1]))) return at;
        int end = at + 2;
        while (Is(row, end, '-')) end++;
        return end < row.Length && (IsLetter(row, end) || char.IsDigit(row[end])) ? end : at;
    }

    private static bool Is(string row, int at, char wanted) => at >= 0 && at < row.Length && row[at] == wanted;

    private static bool IsLetter(string row, int at) => at >= 0 && at < row.Length && (char.IsLetter(row[at]) || row[at] == '_');

    private static bool IsBlank(char c) => c is ' ' or '\t' or '\v' or '\f' or '\r' or '\n';
}
