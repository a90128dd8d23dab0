using System.Globalization;
using System.Text;

namespace MambaRT.Runtime;

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

    /// <summary>Orders two numbers or two strings.</summary>
    public static int Compare(object? a, object? b, int line)
    {
        if (a is string s && b is string t) return string.CompareOrdinal(s, t);
        if (Number(a, out var x) && Number(b, out var y)) return x.CompareTo(y);
        throw TemplateToken.Error(line, $"cannot order {TypeName(a)} and {TypeName(b)}.");
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
                run.Charge(text.Length, line);
                return Characters(text);
            default:
                throw TemplateToken.Error(line, $"cannot loop over {TypeName(value)}; a list, mapping or string is needed.");
        }
    }

    /// <summary>Cuts a string into its Unicode characters.</summary>
    public static List<object?> Characters(string text)
    {
        var characters = new List<object?>(text.Length);
        foreach (var rune in text.EnumerateRunes()) characters.Add(rune.ToString());
        return characters;
    }

    /// <summary>Returns the number of items or Unicode characters.</summary>
    public static long Length(object? value, int line) => value switch
    {
        string text => text.Length - text.Count(char.IsLowSurrogate),
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
                var output = new StringBuilder();
                Describe(value, output, run, line);
                return output.ToString();
        }
    }

    /// <summary>Writes a value as Python's repr does.</summary>
    private static void Describe(object? value, StringBuilder output, TemplateRun run, int line)
    {
        run.Enter(line);
        var before = output.Length;
        switch (value)
        {
            case string text:
                Quote(text, output);
                break;
            case List<object?> list:
                output.Append('[');
                for (var i = 0; i < list.Count; i++)
                {
                    if (i > 0) output.Append(", ");
                    Describe(list[i], output, run, line);
                }

                output.Append(']');
                break;
            case OrderedDictionary<string, object?> map:
                var first = true;
                output.Append('{');
                foreach (var (key, item) in map)
                {
                    if (!first) output.Append(", ");
                    first = false;
                    Quote(key, output);
                    output.Append(": ");
                    Describe(item, output, run, line);
                }

                output.Append('}');
                break;
            case TemplateUndefined:
                output.Append("Undefined");
                break;
            default:
                output.Append(Scalar(value, line));
                break;
        }

        run.ChargeText(output.Length - before, line);
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

    private static void Quote(string text, StringBuilder output)
    {
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        output.Append(quote);
        foreach (var c in text)
        {
            switch (c)
            {
                case '\n': output.Append("\\n"); break;
                case '\r': output.Append("\\r"); break;
                case '\t': output.Append("\\t"); break;
                case '\\': output.Append("\\\\"); break;
                default:
                    if (c == quote) output.Append('\\');
                    output.Append(c);
                    break;
            }
        }

        output.Append(quote);
    }

    private static bool EqualInside(object? a, object? b, TemplateRun run, int line)
    {
        if (Number(a, out var x) && Number(b, out var y)) return a is long m && b is long n ? m == n : x == y;
        switch (a, b)
        {
            case (null, null) or (TemplateUndefined, TemplateUndefined):
                return true;
            case (string s, string t):
                return s == t;
            case (List<object?> s, List<object?> t):
                if (s.Count != t.Count) return false;
                for (var i = 0; i < s.Count; i++)
                {
                    if (!AreEqual(s[i], t[i], run, line)) return false;
                }

                return true;
            case (OrderedDictionary<string, object?> s, OrderedDictionary<string, object?> t):
                if (s.Count != t.Count) return false;
                foreach (var (key, item) in s)
                {
                    if (!t.TryGetValue(key, out var other) || !AreEqual(item, other, run, line)) return false;
                }

                return true;
            default:
                return ReferenceEquals(a, b);
        }
    }
}
