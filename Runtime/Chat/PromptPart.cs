namespace MambaRT.Chat;

/// <summary>A stretch of a rendered conversation.</summary>
/// <param name="Text">The text.</param>
/// <param name="IsContent">Whether it is text, whoever wrote it; otherwise the template wrote it, and markers in it are meant.</param>
internal readonly record struct PromptPart(string Text, bool IsContent)
{
    /// <summary>Adds a part so that no part is empty and no two neighbours are of a kind: equal conversations are then equal lists.</summary>
    public static void Append(List<PromptPart> parts, PromptPart part)
    {
        if (part.Text.Length == 0) return;
        if (parts.Count > 0 && parts[^1].IsContent == part.IsContent) parts[^1] = part with { Text = parts[^1].Text + part.Text };
        else parts.Add(part);
    }

    /// <summary>Characters of all parts.</summary>
    public static int Characters(IReadOnlyList<PromptPart> parts) => parts.Sum(static part => part.Text.Length);

    /// <summary>The first characters of parts, as parts; there are so many.</summary>
    public static IReadOnlyList<PromptPart> First(IReadOnlyList<PromptPart> parts, int characters)
    {
        var first = new List<PromptPart>();
        for (int i = 0; characters > 0; characters -= parts[i++].Text.Length)
            first.Add(parts[i] with { Text = parts[i].Text[..Math.Min(characters, parts[i].Text.Length)] });
        return first;
    }

    /// <summary>What follows <paramref name="head"/> in <paramref name="whole"/>, or null where the whole does not begin with it.</summary>
    public static List<PromptPart>? After(IReadOnlyList<PromptPart> head, IReadOnlyList<PromptPart> whole)
    {
        if (head.Count > whole.Count) return null;
        var rest = new List<PromptPart>();
        for (int i = 0; i < whole.Count; i++)
        {
            if (i >= head.Count) rest.Add(whole[i]);
            else if (head[i] == whole[i]) continue;
            else if (i < head.Count - 1 || head[i].IsContent != whole[i].IsContent || !whole[i].Text.StartsWith(head[i].Text, StringComparison.Ordinal)) return null;
            else rest.Add(whole[i] with { Text = whole[i].Text[head[i].Text.Length..] });
        }
        return rest;
    }
}
