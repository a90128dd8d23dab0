namespace MambaRT.Chat;

/// <summary>The filters on lists and mappings. Source: Jinja 3.1, filters.py.</summary>
internal static class TemplateListFilters
{
    private static readonly string[] Names =
    [
        "first", "last", "join", "list", "items", "dictsort", "reverse", "select", "reject", "selectattr", "rejectattr", "map", "sort", "unique",
        "min", "max", "sum", "batch", "slice", "groupby",
    ];

    /// <summary>Says whether a filter of this name exists.</summary>
    public static bool Exists(string name) => Names.Contains(name);

    /// <summary>Applies a filter.</summary>
    public static object? Apply(string name, object? value, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        if (!Exists(name)) throw TemplateToken.Error(line, $"the filter '{name}' is unknown.");
        if (name is "items" or "dictsort")
        {
            if (value is TemplateUndefined) return new List<object?>();
            if (value is not OrderedDictionary<string, object?> map)
                throw TemplateToken.Error(line, $"the filter '{name}' needs a mapping; found {TemplateValues.TypeName(value)}.");
            var pairs = TemplateMethods.Pairs(map, run, line);
            if (name == "items") return pairs;
            var by = arguments.StringAt(1, "by", "key", line) == "value" ? 1 : 0;
            return Sort(pairs, arguments, 0, 2, pair => ((List<object?>)pair!)[by], run, line);   // pairs are lists
        }

        var items = TemplateValues.Items(value, run, line);
        run.Charge(items.Count, line);
        switch (name)
        {
            case "first":
                return items.Count > 0 ? items[0] : new TemplateUndefined("first of nothing");
            case "last":
                return items.Count > 0 ? items[^1] : new TemplateUndefined("last of nothing");
            case "join":
                return Join(items, arguments, run, line);
            case "select" or "reject":
                return Select(items, 0, item => item, name == "select", arguments, run, line);
            case "selectattr" or "rejectattr":
                var attribute = arguments.At(0, "attribute", null)
                    ?? throw TemplateToken.Error(line, "selectattr and rejectattr need the name of an attribute.");
                return Select(items, 1, item => Attribute(item, attribute, run, line), name == "selectattr", arguments, run, line);
            case "map":
                return Map(items, arguments, run, line);
            case "sort":
                return Sort(items, arguments, 1, 0, Key(arguments, 2, run, line), run, line);
            case "unique":
                return Unique(items, arguments, run, line);
            case "min" or "max":
                var ordered = Sort(items, arguments, 0, int.MaxValue, Key(arguments, 1, run, line), run, line);
                return ordered.Count == 0 ? new TemplateUndefined($"{name} of nothing") : ordered[name == "min" ? 0 : ^1];
            case "sum":
                return Sum(items, arguments, run, line);
            case "batch":
                return Batch(items, arguments, run, line);
            case "slice":
                return Slice(items, arguments, run, line);
            case "groupby":
                return Group(items, arguments, run, line);
            default:
                var list = new List<object?>(items);
                if (name == "list") return list;
                list.Reverse();
                return value is string ? TemplateStrings.Concat(list) : list;
        }
    }

    private static Func<object?, object?> Key(TemplateArguments.Values arguments, int index, TemplateRun run, int line) =>
        arguments.At(index, "attribute", null) is { } attribute ? item => Attribute(item, attribute, run, line) : item => item;

    /// <summary>Looks into an item by "name", by "name.name" or by number.</summary>
    private static object? Attribute(object? item, object attribute, TemplateRun run, int line)
    {
        if (attribute is not string path || !path.Contains('.')) return MemberExpression.Get(item, attribute, run, line);
        foreach (var part in TemplateStrings.Split(path, ".", -1, run, line)) item = MemberExpression.Get(item, part, run, line);
        return item;
    }

    private static List<object?> Select(
        IReadOnlyList<object?> items, int at, Func<object?, object?> key, bool keeps, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var test = arguments.StringAt(at, "test", null, line);
        var argument = arguments.At(at + 1, "value", null);
        var kept = new List<object?>();
        foreach (var item in items)
        {
            var value = key(item);
            var holds = test is null ? TemplateValues.Truth(value) : TemplateTests.Holds(test, value, argument, run, line);
            if (holds == keeps) kept.Add(item);
        }

        return kept;
    }

    private static List<object?> Map(IReadOnlyList<object?> items, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var mapped = new List<object?>(items.Count);
        if (arguments.At(int.MaxValue, "attribute", null) is { } attribute)
        {
            var missing = arguments.At(int.MaxValue, "default", null);
            foreach (var item in items)
            {
                var value = Attribute(item, attribute, run, line);
                mapped.Add(value is TemplateUndefined && missing is not null ? missing : value);
            }

            return mapped;
        }

        var filter = arguments.StringAt(0, "filter", null, line)
            ?? throw TemplateToken.Error(line, "the filter 'map' needs attribute='name' or the name of a filter.");
        var rest = arguments with { Positional = arguments.Positional[1..] };
        run.Enter(line);
        foreach (var item in items)
        {
            run.Charge(1, line);
            mapped.Add(TemplateFilters.Apply(filter, item, rest, run, line));
        }

        run.Leave();
        return mapped;
    }

    private static string Join(IReadOnlyList<object?> items, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var separator = arguments.StringAt(0, "d", "", line) ?? "";
        var key = Key(arguments, 1, run, line);
        var output = new TemplateWriter();
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0) output.Append(separator, run, line);
            output.Append(TemplateValues.Text(key(items[i]), run, line), run, line);
        }

        return output.ToText(run, line);
    }

    /// <summary>Sorts texts, or other values of one kind, by themselves.</summary>
    public static List<object?> Sorted(IReadOnlyList<object?> items, TemplateRun run, int line) =>
        Sort(items, new([], [("case_sensitive", true)]), int.MaxValue, int.MaxValue, item => item, run, line);

    /// <summary>Sorts by keys, equal ones in their order; case is ignored unless asked for.</summary>
    private static List<object?> Sort(
        IReadOnlyList<object?> items, TemplateArguments.Values arguments, int sensitive, int reverse, Func<object?, object?> key, TemplateRun run, int line)
    {
        var exact = TemplateValues.Truth(arguments.At(sensitive, "case_sensitive", false));
        var backwards = TemplateValues.Truth(arguments.At(reverse, "reverse", false));
        run.Charge(2L * items.Count, line);
        var entries = new (object? Key, object? Item)[items.Count];
        for (var i = 0; i < entries.Length; i++) entries[i] = (Folded(key(items[i]), exact, run, line), items[i]);
        var other = new (object? Key, object? Item)[entries.Length];
        for (long width = 1; width < entries.Length; width *= 2)
        {
            run.Charge(entries.Length, line);
            for (long low = 0; low < entries.Length; low += 2 * width)
                Merge(entries, other, (int)low, (int)Math.Min(low + width, entries.Length), (int)Math.Min(low + 2 * width, entries.Length), backwards, run, line);
            (entries, other) = (other, entries);
        }

        return [.. entries.Select(entry => entry.Item)];
    }

    private static void Merge(
        (object? Key, object? Item)[] from, (object? Key, object? Item)[] to, int low, int middle, int high, bool backwards, TemplateRun run, int line)
    {
        var (left, right) = (low, middle);
        for (var i = low; i < high; i++)
        {
            var order = left == middle ? 1 : right == high ? -1 : TemplateValues.Compare(from[left].Key, from[right].Key, run, line) * (backwards ? -1 : 1);
            to[i] = order <= 0 ? from[left++] : from[right++];
        }
    }

    private static object? Folded(object? key, bool exact, TemplateRun run, int line) =>
        !exact && key is string text ? TemplateCase.Lower(text, run, line) : key;

    private static List<object?> Unique(IReadOnlyList<object?> items, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var exact = TemplateValues.Truth(arguments.At(0, "case_sensitive", false));
        var key = Key(arguments, 1, run, line);
        var (seen, kept) = (new List<object?>(), new List<object?>());
        foreach (var item in items)
        {
            var folded = Folded(key(item), exact, run, line);
            if (BinaryExpression.Contains(seen, folded, run, line)) continue;
            seen.Add(folded);
            kept.Add(item);
        }

        return kept;
    }

    private static object Sum(IReadOnlyList<object?> items, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var key = Key(arguments, 0, run, line);
        var (whole, sum, isWhole) = ((Int128)0, 0.0, true);
        var start = arguments.At(1, "start", 0L);
        foreach (var item in items.Select(key).Prepend(start))
        {
            if (!TemplateValues.Number(item, out var number)) throw TemplateToken.Error(line, $"cannot add {TemplateValues.TypeName(item)}.");
            sum += number;
            isWhole &= item is not double;
            if (isWhole) whole += item is long n ? n : (long)number;
        }

        if (!isWhole) return sum;
        return whole >= long.MinValue && whole <= long.MaxValue ? (long)whole : throw TemplateToken.Error(line, "an integer grows beyond 64 bits.");
    }

    private static List<object?> Batch(IReadOnlyList<object?> items, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        if (arguments.At(0, "linecount", null) is not (long size and > 0)) throw TemplateToken.Error(line, "batch needs a count of at least 1.");
        var fill = arguments.At(1, "fill_with", null);
        var batches = new List<object?>();
        List<object?>? last = null;
        foreach (var item in items)
        {
            if (last is null || last.Count >= size) batches.Add(last = []);
            last.Add(item);
        }

        if (fill is null || last is null) return batches;
        run.Charge(size - last.Count, line);
        while (last.Count < size) last.Add(fill);
        return batches;
    }

    /// <summary>Cuts into as many lists as asked for, the first of them longer by one where it does not come out even.</summary>
    private static List<object?> Slice(IReadOnlyList<object?> items, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        if (arguments.At(0, "slices", null) is not (long count and > 0)) throw TemplateToken.Error(line, "slice needs a count of at least 1.");
        run.Charge(count, line);
        var fill = arguments.At(1, "fill_with", null);
        var slices = new List<object?>();
        var (each, longer, at) = ((int)(items.Count / count), items.Count % count, 0);
        for (long i = 0; i < count; i++)
        {
            var slice = new List<object?>(items.Skip(at).Take(each + (i < longer ? 1 : 0)));
            at += slice.Count;
            if (fill is not null && i >= longer) slice.Add(fill);
            slices.Add(slice);
        }

        return slices;
    }

    private static List<object?> Group(IReadOnlyList<object?> items, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var named = Key(arguments, 0, run, line);
        var missing = arguments.At(1, "default", null);
        object? key(object? item) => named(item) is var found && found is TemplateUndefined && missing is not null ? missing : found;
        var exact = TemplateValues.Truth(arguments.At(2, "case_sensitive", false));
        var groups = new List<object?>();
        object? last = null;
        List<object?>? group = null;
        foreach (var item in Sort(items, arguments, 2, int.MaxValue, key, run, line))
        {
            var folded = Folded(key(item), exact, run, line);
            if (group is null || !TemplateValues.AreEqual(last, folded, run, line)) groups.Add(new TemplateGroup(key(item), group = []));
            group.Add(item);
            last = folded;
        }

        return groups;
    }
}
