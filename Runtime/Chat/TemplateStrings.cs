namespace MambaRT.Chat;

/// <summary>What templates do to texts, with the rules of Python. Each operation counts the characters it looks at and makes.</summary>
internal static class TemplateStrings
{
    /// <summary>The longest part that the processor's own search looks for; its cost is at worst a multiple of the length.</summary>
    private const int ShortPart = 16;

    private const ulong HashBase = 0x9E3779B97F4A7C15;

    private static readonly string[] Single = [.. Enumerable.Range(0, 128).Select(c => ((char)c).ToString())];

    /// <summary>Whether two texts are equal.</summary>
    public static bool Same(string a, string b, TemplateRun run, int line)
    {
        if (a.Length != b.Length) return false;
        run.Touch(a.Length, line);
        return ReferenceEquals(a, b) || run.Plain(a, line) == run.Plain(b, line);
    }

    /// <summary>The number of Unicode characters.</summary>
    public static int Length(string text, TemplateRun run, int line)
    {
        run.Touch(text.Length, line);
        if (!HasPairs(text)) return text.Length;
        int pairs = 0;
        foreach (char c in text) pairs += char.IsLowSurrogate(c) ? 1 : 0;
        run.Touch(4L * text.Length, line);
        return text.Length - pairs;
    }

    /// <summary>Cuts a text into its Unicode characters.</summary>
    public static List<object?> Characters(string text, TemplateRun run, int line)
    {
        run.Charge(text.Length, line);
        var characters = new List<object?>(text.Length);
        foreach (var rune in text.EnumerateRunes()) characters.Add(rune.Value < Single.Length ? Single[rune.Value] : rune.ToString());
        return characters;
    }

    /// <summary>A text several times, made in place: what the system builds texts in is kept for later, which after large ones is much.</summary>
    public static string Repeat(string text, int count) => string.Create(text.Length * count, text, static (target, text) =>
    {
        if (target.Length == 0) return;
        text.CopyTo(target);
        for (int done = text.Length; done < target.Length; done *= 2) target[..Math.Min(done, target.Length - done)].CopyTo(target[done..]);
    });

    /// <summary>Texts one behind the other.</summary>
    public static string Concat(List<object?> texts)
    {
        var whole = new System.Text.StringBuilder();
        foreach (object? text in texts) whole.Append((string)text!);   // the caller has only texts
        return whole.ToString();
    }

    /// <summary>The character at a place, counted from the end where negative; null where there is none.</summary>
    public static string? At(string text, long index, TemplateRun run, int line)
    {
        run.Touch(text.Length, line);
        if (HasPairs(text))
        {
            List<object?> characters = Characters(text, run, line);
            if (index < 0) index += characters.Count;
            return index >= 0 && index < characters.Count ? (string?)characters[(int)index] : null;
        }
        if (index < 0) index += text.Length;
        if (index < 0 || index >= text.Length) return null;
        char c = text[(int)index];
        return c < Single.Length ? Single[c] : c.ToString();
    }

    /// <summary>Where the Unicode character of a number begins, or the text ends.</summary>
    public static int PlaceOf(string text, long number, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        int at = 0;
        for (; at < text.Length && number > 0; number--) at += char.IsSurrogatePair(text, at) ? 2 : 1;
        return at;
    }

    /// <summary>Whether positions in a text are not those of its Unicode characters.</summary>
    public static bool HasPairs(string text) => text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF');

    /// <summary>
    /// Finds a part at or behind a place, or -1; the time is linear whatever the two are: a long part is looked for by a rolling hash, and
    /// each comparison of a stretch that has the part's hash is counted.
    /// </summary>
    public static int IndexOf(string text, string part, int from, TemplateRun run, int line)
    {
        ReadOnlySpan<char> span = text.AsSpan(from);
        if (part.Length > span.Length) return -1;
        if (part.Length <= ShortPart)
        {
            int found = span.IndexOf(part, StringComparison.Ordinal);
            run.Touch((found < 0 ? span.Length : found) * (1L + part.Length / 4), line);
            return found < 0 ? -1 : from + found;
        }
        ulong wanted = 0, hash = 0, top = 1;
        for (int i = 0; i < part.Length; i++)
        {
            wanted = wanted * HashBase + part[i];
            hash = hash * HashBase + span[i];
            if (i > 0) top *= HashBase;
        }
        run.Touch(4L * part.Length, line);
        for (int i = 0; ; i++)
        {
            if (hash == wanted)
            {
                run.Touch(part.Length, line);
                if (span.Slice(i, part.Length).SequenceEqual(part))
                {
                    run.Touch(4L * i, line);
                    return from + i;
                }
            }
            if (i + part.Length >= span.Length) break;
            hash = (hash - span[i] * top) * HashBase + span[i + part.Length];
        }
        run.Touch(4L * span.Length, line);
        return -1;
    }

    /// <summary>Finds the last place of a part, or -1.</summary>
    public static int LastIndexOf(string text, string part, TemplateRun run, int line)
    {
        int found = IndexOf(Reversed(text, run, line), Reversed(part, run, line), 0, run, line);
        return found < 0 ? -1 : text.Length - found - part.Length;
    }

    /// <summary>Counts the places of a part that do not overlap.</summary>
    public static long Count(string text, string part, TemplateRun run, int line)
    {
        long count = 0;
        for (int at = IndexOf(text, part, 0, run, line); at >= 0; at = IndexOf(text, part, at + part.Length, run, line)) count++;
        return count;
    }

    /// <summary>Takes characters of a set (whitespace where null) off the ends.</summary>
    public static string Trim(string text, string? set, bool start, bool end, TemplateRun run, int line)
    {
        string plain = run.Plain(text, line);
        var members = set is null ? null : new System.Collections.BitArray(char.MaxValue + 1);
        if (members is not null)
        {
            run.Touch(4L * set!.Length + 8192, line);   // a set stands where members do
            foreach (char c in run.Plain(set, line)) members[c] = true;
        }
        int first = 0, last = text.Length;
        while (start && first < last && Goes(plain[first])) first++;
        while (end && last > first && Goes(plain[last - 1])) last--;
        run.Touch(4L * (text.Length - (last - first)) + (last - first), line);
        return text[first..last];

        bool Goes(char c) => members?[c] ?? IsSpace(c);
    }

    /// <summary>Whether Python takes a character for whitespace.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001C' and <= '\u001F';

    /// <summary>Replaces the first places of a part, all where negative.</summary>
    public static string Replace(string text, string old, string part, long most, TemplateRun run, int line)
    {
        if (old.Length == 0) throw TemplateToken.Error(line, "replace needs an old text of at least one character.");
        string plain = run.Plain(text, line), wanted = run.Plain(old, line);
        var output = new TemplateWriter();
        int from = 0;
        for (long done = 0; done != most; done++)
        {
            int at = IndexOf(plain, wanted, from, run, line);
            if (at < 0) break;
            output.Append(text.AsSpan(from, at - from), run, line);
            output.Append(part, run, line);
            from = at + old.Length;
        }
        if (from == 0) return text;
        output.Append(text.AsSpan(from), run, line);
        return output.ToText(run, line);
    }

    /// <summary>Cuts at a separator, at whitespace where null; at the first places only, where <paramref name="most"/> is not negative.</summary>
    public static List<object?> Split(string text, string? separator, long most, TemplateRun run, int line)
    {
        if (separator is "") throw TemplateToken.Error(line, "split needs a separator of at least one character.");
        string plain = run.Plain(text, line);
        var parts = new List<object?>();
        if (separator is null)
        {
            SplitAtSpace(text, plain, most, parts, run, line);
            return parts;
        }
        string wanted = run.Plain(separator, line);
        int from = 0;
        for (int at; parts.Count != most && (at = IndexOf(plain, wanted, from, run, line)) >= 0; from = at + separator.Length)
            Add(parts, text, from, at, run, line);
        Add(parts, text, from, text.Length, run, line);
        return parts;
    }

    /// <summary>The same from the end.</summary>
    public static List<object?> SplitFromEnd(string text, string? separator, long most, TemplateRun run, int line)
    {
        string? turned = separator is null ? null : Reversed(separator, run, line);
        List<object?> parts = Split(Reversed(text, run, line), turned, most, run, line);
        for (int i = 0; i < parts.Count; i++) parts[i] = Reversed((string)parts[i]!, run, line);   // parts are texts
        parts.Reverse();
        return parts;
    }

    /// <summary>Counts stretches of letters, digits and underscores.</summary>
    public static long WordCount(string text, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        long count = 0;
        bool inside = false;
        foreach (char c in run.Plain(text, line))
        {
            bool isWord = char.IsLetterOrDigit(c) || c == '_' || char.IsSurrogate(c);
            if (isWord && !inside) count++;
            inside = isWord;
        }
        return count;
    }

    /// <summary>Cuts at the ends of lines, as Python knows them; a last line that is empty is none.</summary>
    public static List<object?> Lines(string text, bool keepsEnds, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        string plain = run.Plain(text, line);
        var lines = new List<object?>();
        for (int at = 0, from = 0; at < text.Length; at++)
        {
            bool ends = plain[at] is '\n' or '\r' or '\v' or '\f' or (>= '\u001c' and <= '\u001e') or '\u0085' or '\u2028' or '\u2029';
            if (!ends && at + 1 < text.Length) continue;
            int end = ends ? at : at + 1;
            if (ends && plain[at] == '\r' && at + 1 < text.Length && plain[at + 1] == '\n') at++;
            Add(lines, text, from, keepsEnds ? at + 1 : end, run, line);
            from = at + 1;
        }
        return lines;
    }

    private static string Reversed(string text, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        char[] characters = text.ToCharArray();
        Array.Reverse(characters);
        return new string(characters);
    }

    private static void SplitAtSpace(string text, string plain, long most, List<object?> parts, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        int at = 0;
        while (true)
        {
            while (at < plain.Length && IsSpace(plain[at])) at++;
            if (at == plain.Length) return;
            int end = at;
            if (parts.Count == most)
            {
                Add(parts, text, at, plain.Length, run, line);
                return;
            }
            while (end < plain.Length && !IsSpace(plain[end])) end++;
            Add(parts, text, at, end, run, line);
            at = end;
        }
    }

    private static void Add(List<object?> parts, string text, int start, int end, TemplateRun run, int line)
    {
        run.ChargeText(end - start, line);
        parts.Add(text[start..end]);
    }
}
