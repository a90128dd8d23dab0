namespace MambaRT.Runtime;

/// <summary>The methods of strings and mappings that chat templates call, as Python has them.</summary>
internal static class TemplateMethods
{
    /// <summary>Calls a method.</summary>
    public static object? Call(object? target, string name, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        switch (target)
        {
            case string text:
                run.ChargeText(text.Length, line);
                return OnString(text, name, arguments, run, line);
            case OrderedDictionary<string, object?> map:
                run.Charge(map.Count, line);
                return OnMap(map, name, arguments, line);
            default:
                throw Unknown(target, name, line);
        }
    }

    /// <summary>Replaces each occurrence of a part.</summary>
    public static string Replace(string text, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var old = arguments.StringAt(0, "old", null, line);
        var part = arguments.StringAt(1, "new", null, line);
        if (old is null || part is null) throw TemplateToken.Error(line, "replace needs the old and the new text.");
        if (old.Length == 0) throw TemplateToken.Error(line, "replace needs an old text of at least one character.");
        // The longest result, were the whole text made of the old part.
        run.ChargeText(text.Length + text.Length / old.Length * (long)part.Length, line);
        return text.Replace(old, part, StringComparison.Ordinal);
    }

    private static object? OnString(string text, string name, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        switch (name)
        {
            case "strip":
                return text.Trim(Set(arguments, line));
            case "lstrip":
                return text.TrimStart(Set(arguments, line));
            case "rstrip":
                return text.TrimEnd(Set(arguments, line));
            case "startswith":
                return text.StartsWith(Needed(arguments, name, line), StringComparison.Ordinal);
            case "endswith":
                return text.EndsWith(Needed(arguments, name, line), StringComparison.Ordinal);
            case "split":
                return Split(text, arguments, run, line);
            case "upper":
                return text.ToUpperInvariant();
            case "lower":
                return text.ToLowerInvariant();
            case "replace":
                return Replace(text, arguments, run, line);
            default:
                throw Unknown(text, name, line);
        }
    }

    private static object? OnMap(OrderedDictionary<string, object?> map, string name, TemplateArguments.Values arguments, int line)
    {
        switch (name)
        {
            case "items":
                return Pairs(map);
            case "keys":
                return new List<object?>(map.Keys);
            case "values":
                return new List<object?>(map.Values);
            case "get":
                return map.TryGetValue(Needed(arguments, name, line), out var value) ? value : arguments.At(1, "default", null);
            default:
                throw Unknown(map, name, line);
        }
    }

    /// <summary>Returns the keys and values of a mapping as lists of two.</summary>
    public static List<object?> Pairs(OrderedDictionary<string, object?> map)
    {
        var pairs = new List<object?>(map.Count);
        foreach (var (key, value) in map) pairs.Add(new List<object?> { key, value });
        return pairs;
    }

    private static List<object?> Split(string text, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var separator = arguments.StringAt(0, "sep", null, line);
        var most = arguments.At(1, "maxsplit", -1L) is long n and >= 0 and < int.MaxValue ? (int)n + 1 : int.MaxValue;
        if (separator is "") throw TemplateToken.Error(line, "split needs a separator of at least one character.");
        if (separator is null && most != int.MaxValue)
            throw TemplateToken.Error(line, "split with a limit needs a separator.");
        // Parts are at most one more than characters.
        run.Charge(text.Length / Math.Max(1, separator?.Length ?? 2), line);
        string[] parts = separator is null
            ? text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            : text.Split(separator, most);
        return [.. parts];
    }

    private static char[]? Set(TemplateArguments.Values arguments, int line) =>
        arguments.StringAt(0, "chars", null, line)?.ToCharArray();

    private static string Needed(TemplateArguments.Values arguments, string method, int line) =>
        arguments.StringAt(0, "text", null, line) ?? throw TemplateToken.Error(line, $"{method} needs a string.");

    private static FormatException Unknown(object? target, string name, int line) =>
        TemplateToken.Error(line, $"{TemplateValues.TypeName(target)} has no method '{name}' here.");
}
