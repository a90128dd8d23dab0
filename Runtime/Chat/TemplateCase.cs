namespace MambaRT.Chat;

/// <summary>Upper and lower letters in the texts of templates, as Python has them but for letters that become several.</summary>
internal static class TemplateCase
{
    /// <summary>Changes the case; each character stays where it is.</summary>
    public static string Upper(string text, TemplateRun run, int line)
    {
        run.ChargeText(text.Length, line);
        return run.Like(text, run.Plain(text, line).ToUpperInvariant(), line);
    }

    /// <inheritdoc cref="Upper"/>
    public static string Lower(string text, TemplateRun run, int line)
    {
        run.ChargeText(text.Length, line);
        return run.Like(text, run.Plain(text, line).ToLowerInvariant(), line);
    }

    /// <summary>An upper first letter and lower others: of the text, or of each word, which begins behind what <paramref name="separates"/> holds for.</summary>
    public static string Capitalize(string text, Func<char, bool>? separates, TemplateRun run, int line)
    {
        run.ChargeText(8L * text.Length > TemplateRun.MaxOutput ? text.Length : 8L * text.Length, line);
        char[] characters = run.Plain(text, line).ToCharArray();
        bool starts = true;
        for (int i = 0; i < characters.Length; i++)
        {
            char c = characters[i];
            characters[i] = starts ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c);
            starts = separates is not null && separates(c);
        }
        return run.Like(text, new string(characters), line);
    }

    /// <summary>Whether there are letters of one case and none of the other.</summary>
    public static bool IsCased(string text, bool upper, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        bool some = false;
        foreach (char c in run.Plain(text, line))
        {
            if (upper ? char.IsLower(c) : char.IsUpper(c)) return false;
            some |= upper ? char.IsUpper(c) : char.IsLower(c);
        }
        return some;
    }

    /// <summary>Upper letters for lower ones, and the other way.</summary>
    public static string SwapCase(string text, TemplateRun run, int line)
    {
        run.ChargeText(text.Length, line);
        run.Touch(4L * text.Length, line);
        char[] characters = run.Plain(text, line).ToCharArray();
        for (int i = 0; i < characters.Length; i++)
            characters[i] = char.IsUpper(characters[i]) ? char.ToLowerInvariant(characters[i]) : char.ToUpperInvariant(characters[i]);
        return run.Like(text, new string(characters), line);
    }

    /// <summary>Whether there are words, and each has an upper first letter and lower others.</summary>
    public static bool IsTitle(string text, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        bool some = false, inside = false;
        foreach (char c in run.Plain(text, line))
        {
            bool upper = char.IsUpper(c);
            if (upper ? inside : char.IsLower(c) && !inside) return false;
            inside = upper || char.IsLower(c);
            some |= inside;
        }
        return some;
    }
}
