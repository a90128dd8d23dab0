using System.Globalization;

namespace MambaRT.Chat;

/// <summary>
/// What the values of a template mean, as Python has it. A value is null (none), bool, long, double, string, a list, a mapping,
/// a namespace, a loop or undefined.
/// </summary>
internal static class TemplateValues
{
    /// <summary>Names the type of a value in an error.</summary>
    public static string TypeName(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long => "an integer",
        double => "a number",
        string => "a string",
        TemplateTuple => "a tuple",
        List<object?> => "a list",
        OrderedDictionary<string, object?> => "a mapping",
        TemplateUndefined u => $"'{u.Name}', which is undefined",
        _ => "an object",
    };

    /// <summary>Says whether a condition holds.</summary>
    public static bool Truth(object? value) => value switch
    {
        null or TemplateUndefined => false,
        bool b => b,
        long n => n != 0,
        double d => d != 0,
        string s => s.Length > 0,
        List<object?> list => list.Count > 0,
        OrderedDictionary<string, object?> map => map.Count > 0,
        _ => true,
    };

    /// <summary>Reads a value as a number; booleans count as 0 and 1.</summary>
    public static bool Number(object? value, out double number)
    {
        number = value switch { bool b => b ? 1 : 0, long n => n, double d => d, _ => double.NaN };
        return value is bool or long or double;
    }

    /// <summary>Compares two values by content.</summary>
    public static bool AreEqual(object? a, object? b, TemplateRun run, int line)
    {
        run.Enter(line);
        var equal = EqualInside(a, b, run, line);
        run.Leave();
        return equal;
    }

    /// <summary>Orders two numbers, two strings or two lists.</summary>
    public static int Compare(object? a, object? b, TemplateRun run, int line)
    {
        switch (a, b)
        {
            case (string s, string t):
                run.Touch(Math.Min(s.Length, t.Length), line);
                return string.CompareOrdinal(run.Plain(s, line), run.Plain(t, line));
            case (List<object?> s, List<object?> t):
                run.Enter(line);
                var order = 0;
                for (var i = 0; order == 0 && i < Math.Min(s.Count, t.Count); i++)
                    order = AreEqual(s[i], t[i], run, line) ? 0 : Compare(s[i], t[i], run, line);
                run.Leave();
                return order != 0 ? order : s.Count.CompareTo(t.Count);
            default:
                if (Number(a, out var x) && Number(b, out var y)) return a is long m && b is long n ? m.CompareTo(n) : x.CompareTo(y);
                throw TemplateToken.Error(line, $"cannot order {TypeName(a)} and {TypeName(b)}.");
        }
    }

    /// <summary>Looks a key up, as it is or as the original of what someone said.</summary>
    public static bool Find(OrderedDictionary<string, object?> map, string key, TemplateRun run, int line, out object? value)
    {
        run.Touch(key.Length, line);
        if (map.TryGetValue(key, out value)) return true;
        var plain = run.Plain(key, line);
        return !ReferenceEquals(plain, key) && map.TryGetValue(plain, out value);
    }

    /// <summary>Takes a list apart.</summary>
    public static IReadOnlyList<object?> Parts(object? value, int count, TemplateRun run, int line)
    {
        var parts = value is List<object?> or string ? Items(value, run, line) : null;
        if (parts is not null && parts.Count == count) return parts;
        var found = parts is null ? TypeName(value) : $"{parts.Count} parts";
        throw TemplateToken.Error(line, $"{count} parts are needed for {count} names; found {found}.");
    }

    /// <summary>Returns the items that a loop over a value sees.</summary>
    public static IReadOnlyList<object?> Items(object? value, TemplateRun run, int line)
    {
        switch (value)
        {
            case List<object?> list:
                return list;
            case TemplateUndefined:
                return [];
            case OrderedDictionary<string, object?> map:
                run.Charge(map.Count, line);
                return [.. map.Keys];
            case string text:
                return TemplateStrings.Characters(text, run, line);
            default:
                throw TemplateToken.Error(line, $"cannot loop over {TypeName(value)}; a list, mapping or string is needed.");
        }
    }

    /// <summary>Returns the number of items or Unicode characters.</summary>
    public static long Length(object? value, TemplateRun run, int line) => value switch
    {
        string text => TemplateStrings.Length(text, run, line),
        List<object?> list => list.Count,
        OrderedDictionary<string, object?> map => map.Count,
        TemplateUndefined => 0,
        _ => throw TemplateToken.Error(line, $"{TypeName(value)} has no length."),
    };

    /// <summary>Returns a value as output shows it.</summary>
    public static string Text(object? value, TemplateRun run, int line)
    {
        switch (value)
        {
            case string text:
                return text;
            case TemplateUndefined:
                return "";
            default:
                return Repr(value, run, line);
        }
    }

    /// <summary>Returns a value as Python's repr does.</summary>
    public static string Repr(object? value, TemplateRun run, int line)
    {
        var output = new TemplateWriter();
        Describe(value, output, run, line);
        return output.ToText(run, line);
    }

    /// <summary>Writes a value as Python's repr does.</summary>
    private static void Describe(object? value, TemplateWriter output, TemplateRun run, int line)
    {
        run.Enter(line);
        switch (value)
        {
            case string text:
                Quote(text, output, run, line);
                break;
            case List<object?> list:
                var round = list is TemplateTuple;
                output.Append(round ? "(" : "[", run, line);
                for (var i = 0; i < list.Count; i++)
                {
                    if (i > 0) output.Append(", ", run, line);
                    Describe(list[i], output, run, line);
                }

                output.Append(round ? list.Count == 1 ? ",)" : ")" : "]", run, line);
                break;
            case OrderedDictionary<string, object?> map:
                output.Append("{", run, line);
                for (var i = 0; i < map.Count; i++)
                {
                    var (key, item) = map.GetAt(i);
                    if (i > 0) output.Append(", ", run, line);
                    Quote(key, output, run, line);
                    output.Append(": ", run, line);
                    Describe(item, output, run, line);
                }

                output.Append("}", run, line);
                break;
            case TemplateUndefined:
                output.Append("Undefined", run, line);
                break;
            default:
                output.Append(Scalar(value, line), run, line);
                break;
        }

        run.Leave();
    }

    private static string Scalar(object? value, int line) => value switch
    {
        null => "None",
        bool b => b ? "True" : "False",
        long n => n.ToString(CultureInfo.InvariantCulture),
        double d => Float(d),
        _ => throw TemplateToken.Error(line, $"{TypeName(value)} cannot be written as text."),
    };

    /// <summary>Writes a float so that it reads back as a float.</summary>
    public static string Float(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        return double.IsFinite(value) && text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text.Replace('E', 'e');
    }

    private static void Quote(string text, TemplateWriter output, TemplateRun run, int line)
    {
        run.Touch(2L * text.Length, line);
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        output.Append(quote, 1, run, line);
        foreach (var c in text)
        {
            switch (c)
            {
                case '\n': output.Append("\\n", run, line); break;
                case '\r': output.Append("\\r", run, line); break;
                case '\t': output.Append("\\t", run, line); break;
                case '\\': output.Append("\\\\", run, line); break;
                default:
                    if (c == quote) output.Append('\\', 1, run, line);
                    output.Append(c, 1, run, line);
                    break;
            }
        }

        output.Append(quote, 1, run, line);
    }

    private static bool EqualInside(object? a, object? b, TemplateRun run, int line)
    {
        if (Number(a, out var x) && Number(b, out var y)) return a is long m && b is long n ? m == n : x == y;
        switch (a, b)
        {
            case (null, null) or (TemplateUndefined, TemplateUndefined):
                return true;
            case (string s, string t):
                return TemplateStrings.Same(s, t, run, line);
            case (List<object?> s, List<object?> t):
                if (s.Count != t.Count || (s is TemplateTuple) != (t is TemplateTuple)) return false;
                for (var i = 0; i < s.Count; i++)
                {
                    if (!AreEqual(s[i], t[i], run, line)) return false;
                }

                return true;
            case (OrderedDictionary<string, object?> s, OrderedDictionary<string, object?> t):
                if (s.Count != t.Count) return false;
                foreach (var (key, item) in s)
                {
                    if (!Find(t, key, run, line, out var other) || !AreEqual(item, other, run, line)) return false;
                }

                return true;
            default:
                return ReferenceEquals(a, b);
        }
    }
}
