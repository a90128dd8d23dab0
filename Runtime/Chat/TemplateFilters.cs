using System.Globalization;
using System.Text;

namespace MambaRT.Runtime;

/// <summary>The filters that chat templates use. Source: Jinja 3.1, filters.py; tojson as Python's json.dumps without ASCII escapes.</summary>
internal static class TemplateFilters
{
    private static readonly string[] Names =
    [
        "trim", "length", "count", "upper", "lower", "capitalize", "tojson", "default", "d", "first", "last", "join", "replace", "string",
        "list", "int", "items", "reverse", "safe", "selectattr", "rejectattr", "map",
    ];

    /// <summary>Says whether a filter of this name exists.</summary>
    public static bool Exists(string name) => Names.Contains(name);

    /// <summary>Applies a filter that exists.</summary>
    public static object? Apply(string name, object? value, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        switch (name)
        {
            case "trim":
                return Cased(value, run, line).Trim(arguments.StringAt(0, "chars", null, line)?.ToCharArray());
            case "upper":
                return Cased(value, run, line).ToUpperInvariant();
            case "lower":
                return Cased(value, run, line).ToLowerInvariant();
            case "capitalize":
                var text = Cased(value, run, line);
                return text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();
            case "string" or "safe":
                return TemplateValues.Text(value, run, line);
            case "length" or "count":
                return TemplateValues.Length(value, line);
            case "tojson":
                return ToJson(value, arguments, run, line);
            case "default" or "d":
                var replaced = value is TemplateUndefined
                    || (TemplateValues.Truth(arguments.At(1, "boolean", false)) && !TemplateValues.Truth(value));
                return replaced ? arguments.At(0, "default_value", "") : value;
            case "replace":
                return TemplateMethods.Replace(Cased(value, run, line), arguments, run, line);
            case "int":
                return ToInteger(value, arguments.At(0, "default", 0L));
            default:
                return OnItems(name, value, arguments, run, line);
        }
    }

    private static object? OnItems(string name, object? value, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        if (name == "items")
        {
            if (value is TemplateUndefined) return new List<object?>();
            if (value is not OrderedDictionary<string, object?> map)
                throw TemplateToken.Error(line, $"the filter 'items' needs a mapping; found {TemplateValues.TypeName(value)}.");
            run.Charge(map.Count, line);
            return TemplateMethods.Pairs(map);
        }

        var items = TemplateValues.Items(value, run, line);
        switch (name)
        {
            case "first":
                return items.Count > 0 ? items[0] : new TemplateUndefined("first of nothing");
            case "last":
                return items.Count > 0 ? items[^1] : new TemplateUndefined("last of nothing");
            case "join":
                return Join(items, arguments.StringAt(0, "d", "", line) ?? "", run, line);
            case "selectattr" or "rejectattr":
                return SelectByAttribute(items, name == "selectattr", arguments, run, line);
            case "map":
                var wanted = arguments.StringAt(int.MaxValue, "attribute", null, line)
                    ?? throw TemplateToken.Error(line, "the filter 'map' needs attribute='name'.");
                run.Charge(items.Count, line);
                return items.Select(item => MemberExpression.Get(item, wanted, run, line)).ToList();
            default:
                run.Charge(items.Count, line);
                var list = new List<object?>(items);
                if (name == "list") return list;
                list.Reverse();
                return value is string ? string.Concat(list) : list;
        }
    }

    /// <summary>Keeps the items whose attribute passes a test, or is true when no test is named; or those that do not.</summary>
    private static List<object?> SelectByAttribute(
        IReadOnlyList<object?> items, bool keeps, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var attribute = arguments.StringAt(0, "attribute", null, line)
            ?? throw TemplateToken.Error(line, "selectattr and rejectattr need the name of an attribute.");
        var test = arguments.StringAt(1, "test", null, line);
        if (test is not null && !TemplateTests.Exists(test)) throw TemplateToken.Error(line, $"the test '{test}' is unknown.");
        var argument = arguments.At(2, "value", null);
        run.Charge(items.Count, line);
        var kept = new List<object?>();
        foreach (var item in items)
        {
            var value = MemberExpression.Get(item, attribute, run, line);
            var holds = test is null ? TemplateValues.Truth(value) : TemplateTests.Holds(test, value, argument, run, line);
            if (holds == keeps) kept.Add(item);
        }

        return kept;
    }

    private static string Cased(object? value, TemplateRun run, int line)
    {
        var text = TemplateValues.Text(value, run, line);
        run.ChargeText(text.Length, line);
        return text;
    }

    private static string Join(IReadOnlyList<object?> items, string separator, TemplateRun run, int line)
    {
        var output = new StringBuilder();
        for (var i = 0; i < items.Count; i++)
        {
            var text = TemplateValues.Text(items[i], run, line);
            run.ChargeText((long)text.Length + separator.Length, line);
            if (output.Length + (long)text.Length + separator.Length > TemplateRun.MaxOutput)
                run.ChargeText(TemplateRun.MaxOutput + 1L, line);
            if (i > 0) output.Append(separator);
            output.Append(text);
        }

        return output.ToString();
    }

    private static object? ToInteger(object? value, object? missing) => value switch
    {
        long => value,
        bool b => b ? 1L : 0L,
        double d when Math.Abs(d) < 9e18 => (long)d,
        string s when long.TryParse(s.AsSpan().Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) => n,
        _ => missing,
    };

    private static string ToJson(object? value, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var indent = arguments.At(0, "indent", null);
        if (indent is not (null or (long and >= 0 and <= 16)))
            throw TemplateToken.Error(line, "the indent of tojson must be an integer between 0 and 16.");
        var output = new StringBuilder();
        Json(value, output, indent is long n ? (int)n : -1, 0, run, line);
        return output.ToString();
    }

    private static void Json(object? value, StringBuilder output, int indent, int level, TemplateRun run, int line)
    {
        run.Enter(line);
        var before = output.Length;
        switch (value)
        {
            case List<object?> list:
                output.Append('[');
                for (var i = 0; i < list.Count; i++)
                {
                    Break(output, indent, level + 1, i > 0);
                    Json(list[i], output, indent, level + 1, run, line);
                }

                if (list.Count > 0) Break(output, indent, level, null);
                output.Append(']');
                break;
            case OrderedDictionary<string, object?> map:
                output.Append('{');
                for (var i = 0; i < map.Count; i++)
                {
                    var (key, item) = map.GetAt(i);
                    Break(output, indent, level + 1, i > 0);
                    Quote(key, output);
                    output.Append(": ");
                    Json(item, output, indent, level + 1, run, line);
                }

                if (map.Count > 0) Break(output, indent, level, null);
                output.Append('}');
                break;
            case string text:
                Quote(text, output);
                break;
            default:
                output.Append(value switch
                {
                    null => "null",
                    bool b => b ? "true" : "false",
                    long n => n.ToString(CultureInfo.InvariantCulture),
                    double d => TemplateValues.Float(d),
                    _ => throw TemplateToken.Error(line, $"{TemplateValues.TypeName(value)} cannot be written as JSON."),
                });
                break;
        }

        run.ChargeText(output.Length - before, line);
        run.Leave();
    }

    /// <summary>Ends an item (<paramref name="follows"/>: another came before; null: the last is done) and starts a line when indenting.</summary>
    private static void Break(StringBuilder output, int indent, int level, bool? follows)
    {
        if (follows is true) output.Append(indent < 0 ? ", " : ",");
        if (indent >= 0) output.Append('\n').Append(' ', indent * level);
    }

    private static void Quote(string text, StringBuilder output)
    {
        output.Append('"');
        foreach (var c in text)
        {
            switch (c)
            {
                case '"': output.Append("\\\""); break;
                case '\\': output.Append("\\\\"); break;
                case '\n': output.Append("\\n"); break;
                case '\r': output.Append("\\r"); break;
                case '\t': output.Append("\\t"); break;
                case '\b': output.Append("\\b"); break;
                case '\f': output.Append("\\f"); break;
                default:
                    if (c < ' ') output.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    else output.Append(c);
                    break;
            }
        }

        output.Append('"');
    }
}
