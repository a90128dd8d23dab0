namespace MambaRT.Chat;

/// <summary>The methods of strings, lists and mappings that chat templates call, as Python has them.</summary>
internal static class TemplateMethods
{
    /// <summary>Calls a method.</summary>
    public static object? Call(object? target, string name, TemplateArguments.Values arguments, TemplateRun run, int line) => target switch
    {
        string text => OnString(text, name, arguments, run, line),
        List<object?> list => OnList(list, name, arguments, run, line),
        OrderedDictionary<string, object?> map => OnMap(map, name, arguments, run, line),
        TemplateLoop loop => loop.Call(name, arguments, run, line),
        TemplateCycler cycler => cycler.Call(name, line),
        _ => throw Unknown(target, name, line),
    };

    /// <summary>Replaces the occurrences of a part.</summary>
    public static string Replace(string text, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var old = arguments.StringAt(0, "old", null, line);
        var part = arguments.StringAt(1, "new", null, line);
        if (old is null || part is null) throw TemplateToken.Error(line, "replace needs the old and the new text.");
        return TemplateStrings.Replace(text, old, part, arguments.At(2, "count", -1L) is long n and >= 0 ? n : -1, run, line);
    }

    /// <summary>Returns the keys and values of a mapping as tuples of two.</summary>
    public static List<object?> Pairs(OrderedDictionary<string, object?> map, TemplateRun run, int line)
    {
        run.Charge(2L * map.Count, line);
        var pairs = new List<object?>(map.Count);
        foreach (var (key, value) in map) pairs.Add(new TemplateTuple([key, value]));
        return pairs;
    }

    private static object? OnString(string text, string name, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        switch (name)
        {
            case "strip" or "lstrip" or "rstrip":
                return TemplateStrings.Trim(text, arguments.StringAt(0, "chars", null, line), name != "rstrip", name != "lstrip", run, line);
            case "startswith" or "endswith":
                return HasEnd(Window(text, arguments, run, line, out _), arguments.At(0, "text", null), name == "startswith", name, run, line);
            case "split" or "rsplit":
                var separator = arguments.StringAt(0, "sep", null, line);
                var most = arguments.At(1, "maxsplit", -1L) is long n and >= 0 ? n : -1;
                return name == "split" ? TemplateStrings.Split(text, separator, most, run, line) : TemplateStrings.SplitFromEnd(text, separator, most, run, line);
            case "splitlines":
                return TemplateStrings.Lines(text, TemplateValues.Truth(arguments.At(0, "keepends", false)), run, line);
            case "partition" or "rpartition":
                return Partition(text, Needed(arguments, name, line), name == "partition", run, line);
            case "removeprefix" or "removesuffix":
                var end = Needed(arguments, name, line);
                if (!HasEnd(text, end, name == "removeprefix", name, run, line)) return text;
                run.ChargeText(text.Length, line);
                return name == "removeprefix" ? text[end.Length..] : text[..^end.Length];
            case "center" or "ljust" or "rjust" or "zfill":
                var width = arguments.At(0, "width", null) is long columns ? columns : throw TemplateToken.Error(line, $"{name} needs a width.");
                return TemplateLayout.Pad(text, name, width, name == "zfill" ? "0" : arguments.StringAt(1, "fillchar", " ", line) ?? " ", run, line);
            case "expandtabs":
                return TemplateLayout.ExpandTabs(text, arguments.At(0, "tabsize", 8L) is long size ? size : 8, run, line);
            case "swapcase":
                return TemplateCase.SwapCase(text, run, line);
            case "upper":
                return TemplateCase.Upper(text, run, line);
            case "lower" or "casefold":
                return TemplateCase.Lower(text, run, line);
            case "capitalize":
                return TemplateCase.Capitalize(text, null, run, line);
            case "title":
                return TemplateCase.Capitalize(text, c => !char.IsLetter(c), run, line);
            case "replace":
                return Replace(text, arguments, run, line);
            case "find" or "rfind" or "index" or "rindex":
                return Find(text, name, arguments, run, line);
            case "count":
                var part = Needed(arguments, name, line);
                if (part.Length == 0) throw TemplateToken.Error(line, "count needs a text of at least one character.");
                return TemplateStrings.Count(run.Plain(Window(text, arguments, run, line, out _), line), run.Plain(part, line), run, line);
            case "join":
                return TemplateListFilters.Apply(name, arguments.At(0, "items", new TemplateUndefined("items")), new([text], []), run, line);
            case "format":
                return TemplateFormat.Braces(text, arguments, run, line);
            case "format_map":
                var map = arguments.At(0, "mapping", null) as OrderedDictionary<string, object?> ?? throw TemplateToken.Error(line, "format_map needs a mapping.");
                run.Charge(map.Count, line);
                return TemplateFormat.Braces(text, new([], [.. map.Select(pair => (pair.Key, pair.Value))]), run, line);
            case "isdigit" or "isdecimal" or "isnumeric":
                return All(text, char.IsDigit, run, line);
            case "isalpha":
                return All(text, char.IsLetter, run, line);
            case "isalnum":
                return All(text, char.IsLetterOrDigit, run, line);
            case "isascii":
                return text.Length == 0 || All(text, char.IsAscii, run, line);
            case "isprintable":
                return text.Length == 0 || All(text, IsPrintable, run, line);
            case "isidentifier":
                return All(text, c => char.IsLetterOrDigit(c) || c == '_', run, line) && !char.IsDigit(run.Plain(text, line)[0]);
            case "istitle":
                return TemplateCase.IsTitle(text, run, line);
            case "isspace":
                return All(text, TemplateStrings.IsSpace, run, line);
            case "isupper" or "islower":
                return TemplateCase.IsCased(text, name == "isupper", run, line);
            default:
                throw Unknown(text, name, line);
        }
    }

    private static object? OnList(List<object?> list, string name, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var first = arguments.At(0, "object", null);
        run.Charge(1, line);
        switch (name)
        {
            case "count" or "index":
                long count = 0;
                for (var i = 0; i < list.Count; i++)
                {
                    if (!TemplateValues.AreEqual(list[i], first, run, line)) continue;
                    if (name == "index") return (long)i;
                    count++;
                }

                return name == "count" ? count : throw TemplateToken.Error(line, "index finds no such item.");
            case "copy":
                run.Charge(list.Count, line);
                return new List<object?>(list);
        }

        if (list is TemplateTuple) throw Unknown(list, name, line);
        switch (name)
        {
            case "append":
                list.Add(first);
                return null;
            case "extend":
                var items = TemplateValues.Items(first, run, line);
                run.Charge(items.Count, line);
                list.AddRange([.. items]);
                return null;
            case "insert":
                run.Charge(list.Count / 8, line);
                list.Insert((int)Math.Clamp(Place(first, list, line), 0, list.Count), arguments.At(1, "object", null));
                return null;
            case "pop":
                var place = arguments.Positional.Count == 0 ? list.Count - 1L : Place(first, list, line);
                if (place < 0 || place >= list.Count) throw TemplateToken.Error(line, "pop finds no such item.");
                run.Charge((list.Count - place) / 8, line);
                var taken = list[(int)place];
                list.RemoveAt((int)place);
                return taken;
            case "reverse":
                run.Charge(list.Count / 8, line);
                list.Reverse();
                return null;
            case "clear":
                list.Clear();
                return null;
            default:
                throw Unknown(list, name, line);
        }
    }

    private static object? OnMap(OrderedDictionary<string, object?> map, string name, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        switch (name)
        {
            case "items":
                return Pairs(map, run, line);
            case "keys" or "values":
                run.Charge(map.Count, line);
                return name == "keys" ? new List<object?>(map.Keys) : new List<object?>(map.Values);
            case "get":
                return TemplateValues.Find(map, Needed(arguments, name, line), run, line, out var value) ? value : arguments.At(1, "default", null);
            case "setdefault":
                var key = Needed(arguments, name, line);
                if (TemplateValues.Find(map, key, run, line, out var there)) return there;
                return map[key] = arguments.At(1, "default", null);
            case "pop":
                var gone = Needed(arguments, name, line);
                run.Charge(map.Count / 8, line);
                if (!TemplateValues.Find(map, gone, run, line, out var old)) return arguments.At(1, "default", new TemplateUndefined(name));
                if (!map.Remove(gone)) map.Remove(run.Plain(gone, line));
                return old;
            case "update":
                foreach (var (added, item) in ((OrderedDictionary<string, object?>)TemplateFunctions.Call("dict", arguments, run, line)!)) map[added] = item;   // what dict gives
                return null;
            case "copy":
                run.Charge(map.Count, line);
                return new OrderedDictionary<string, object?>(map);
            case "clear":
                map.Clear();
                return null;
            default:
                throw Unknown(map, name, line);
        }
    }

    private static bool HasEnd(string text, object? ends, bool start, string name, TemplateRun run, int line)
    {
        IReadOnlyList<object?> candidates = ends is TemplateTuple several ? several : [ends];
        foreach (var end in candidates)
        {
            if (end is not string part) throw TemplateToken.Error(line, $"{name} needs a string.");
            run.Touch(part.Length, line);
            if (part.Length > text.Length) continue;
            var own = start ? text[..part.Length] : text[^part.Length..];
            if (TemplateStrings.Same(own, part, run, line)) return true;
        }

        return false;
    }

    private static object Find(string text, string name, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var window = Window(text, arguments, run, line, out var before);
        var (plain, part) = (run.Plain(window, line), run.Plain(Needed(arguments, name, line), line));
        var at = name is "rfind" or "rindex" ? TemplateStrings.LastIndexOf(plain, part, run, line) : TemplateStrings.IndexOf(plain, part, 0, run, line);
        if (at < 0) return name is "find" or "rfind" ? -1L : throw TemplateToken.Error(line, $"{name} does not find the text.");
        run.ChargeText(at, line);
        return before + TemplateStrings.Length(window[..at], run, line);
    }

    /// <summary>The part of a text between the second and third argument, which count Unicode characters, from the end where negative.</summary>
    private static string Window(string text, TemplateArguments.Values arguments, TemplateRun run, int line, out long before)
    {
        before = 0;
        if (arguments.Positional.Count < 2) return text;
        var length = TemplateStrings.Length(text, run, line);
        before = Place(arguments.Positional[1], 0);
        var end = Math.Max(before, Place(arguments.Positional.Count > 2 ? arguments.Positional[2] : null, length));
        run.ChargeText(text.Length, line);
        return text[TemplateStrings.PlaceOf(text, before, run, line)..TemplateStrings.PlaceOf(text, end, run, line)];

        long Place(object? bound, long missing) => bound is not long n ? missing : Math.Clamp(n < 0 ? n + length : n, 0, length);
    }

    private static bool IsPrintable(char c) => c == ' ' || !(char.IsControl(c) || char.IsWhiteSpace(c) || char.GetUnicodeCategory(c)
        is System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.OtherNotAssigned or System.Globalization.UnicodeCategory.PrivateUse);

    private static TemplateTuple Partition(string text, string separator, bool first, TemplateRun run, int line)
    {
        var (plain, part) = (run.Plain(text, line), run.Plain(separator, line));
        if (part.Length == 0) throw TemplateToken.Error(line, "partition needs a separator of at least one character.");
        var at = first ? TemplateStrings.IndexOf(plain, part, 0, run, line) : TemplateStrings.LastIndexOf(plain, part, run, line);
        run.ChargeText(text.Length, line);
        if (at >= 0) return new TemplateTuple([text[..at], separator, text[(at + part.Length)..]]);
        return new TemplateTuple(first ? [text, "", ""] : ["", "", text]);
    }

    private static bool All(string text, Func<char, bool> holds, TemplateRun run, int line)
    {
        run.Touch(4L * text.Length, line);
        return text.Length > 0 && run.Plain(text, line).All(holds);
    }

    private static long Place(object? value, List<object?> list, int line) =>
        value is long n and > int.MinValue and < int.MaxValue ? (n < 0 ? n + list.Count : n) : throw TemplateToken.Error(line, "the place in a list must be an integer.");

    private static string Needed(TemplateArguments.Values arguments, string method, int line) =>
        arguments.StringAt(0, "text", null, line) ?? throw TemplateToken.Error(line, $"{method} needs a string.");

    private static FormatException Unknown(object? target, string name, int line) =>
        TemplateToken.Error(line, $"{TemplateValues.TypeName(target)} has no method '{name}' here.");
}
