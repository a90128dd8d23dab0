namespace MambaRT.Chat;

/// <summary>Arithmetic, comparison, concatenation and membership.</summary>
internal sealed class BinaryExpression(int line, string op, TemplateExpression left, TemplateExpression right) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var a = left.Evaluate(run);
        var b = right.Evaluate(run);
        return op switch
        {
            "==" or "!=" or "<" or "<=" or ">" or ">=" or "in" or "not in" => Holds(op, a, b, run, Line),
            "~" => Concat(TemplateValues.Text(a, run, Line), TemplateValues.Text(b, run, Line), run),
            "+" when a is string s && b is string t => Concat(s, t, run),
            "+" when a is List<object?> s && b is List<object?> t => Concat(s, t, run),
            "*" when a is string s && b is long n => Repeat(s, n, run),
            "*" when a is long n && b is string s => Repeat(s, n, run),
            "*" when a is List<object?> s && b is long n => Repeat(s, n, run),
            "*" when a is long n && b is List<object?> s => Repeat(s, n, run),
            "%" when a is string s => TemplateFormat.Percent(s, b is TemplateTuple list ? list : [b], run, Line),
            _ => Arithmetic(a, b),
        };
    }

    /// <summary>Compares two values, or looks one up in the other.</summary>
    public static bool Holds(string op, object? a, object? b, TemplateRun run, int line) => op switch
    {
        "==" => TemplateValues.AreEqual(a, b, run, line),
        "!=" => !TemplateValues.AreEqual(a, b, run, line),
        "<" => TemplateValues.Compare(a, b, run, line) < 0,
        "<=" => TemplateValues.Compare(a, b, run, line) <= 0,
        ">" => TemplateValues.Compare(a, b, run, line) > 0,
        ">=" => TemplateValues.Compare(a, b, run, line) >= 0,
        "in" => Contains(b, a, run, line),
        _ => !Contains(b, a, run, line),
    };

    /// <summary>Says whether a string holds another, a list an item or a mapping a key.</summary>
    public static bool Contains(object? container, object? item, TemplateRun run, int line)
    {
        switch (container)
        {
            case TemplateUndefined:
                return false;
            case string text when item is string part:
                return TemplateStrings.IndexOf(run.Plain(text, line), run.Plain(part, line), 0, run, line) >= 0;
            case OrderedDictionary<string, object?> map:
                return item is string key && TemplateValues.Find(map, key, run, line, out _);
            case List<object?> list:
                foreach (var candidate in list)
                {
                    if (TemplateValues.AreEqual(candidate, item, run, line)) return true;
                }

                return false;
            default:
                throw TemplateToken.Error(
                    line, $"cannot look for {TemplateValues.TypeName(item)} in {TemplateValues.TypeName(container)}.");
        }
    }

    private string Concat(string a, string b, TemplateRun run)
    {
        run.ChargeText((long)a.Length + b.Length, Line);
        return a + b;
    }

    private List<object?> Concat(List<object?> a, List<object?> b, TemplateRun run)
    {
        run.Charge((long)a.Count + b.Count, Line);
        return a is TemplateTuple ? new TemplateTuple(a.Concat(b)) : [.. a, .. b];
    }

    private string Repeat(string text, long count, TemplateRun run)
    {
        if (count <= 0 || text.Length == 0) return "";
        // Bounded first: the product of a long and a length could overflow.
        run.ChargeText(Math.Min(count, TemplateRun.MaxOutput + 1L) * text.Length, Line);
        return TemplateStrings.Repeat(text, (int)count);
    }

    private List<object?> Repeat(List<object?> items, long count, TemplateRun run)
    {
        List<object?> list = items is TemplateTuple ? new TemplateTuple([]) : [];
        if (count <= 0 || items.Count == 0) return list;
        run.Charge(Math.Min(count, TemplateRun.MaxSteps + 1L) * items.Count, Line);
        list.EnsureCapacity(items.Count * (int)count);
        for (var i = 0; i < count; i++) list.AddRange(items);
        return list;
    }

    private object Arithmetic(object? a, object? b)
    {
        if (!TemplateValues.Number(a, out var x) || !TemplateValues.Number(b, out var y))
            throw Error($"cannot compute {TemplateValues.TypeName(a)} {op} {TemplateValues.TypeName(b)}.");
        if (op is "/" or "//" or "%" && y == 0) throw Error("division by zero.");
        if (op == "/") return x / y;
        if (a is double || b is double || (op == "**" && y < 0)) return Floats(x, y);
        try
        {
            return Integers(a is long m ? m : (long)x, b is long n ? n : (long)y);
        }
        catch (OverflowException)
        {
            throw Error("an integer grows beyond 64 bits.");
        }
    }

    private double Floats(double x, double y) => op switch
    {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "**" => Math.Pow(x, y),
        "//" => Math.Floor(x / y),
        _ => x - y * Math.Floor(x / y),
    };

    private long Integers(long x, long y)
    {
        switch (op)
        {
            case "+": return checked(x + y);
            case "-": return checked(x - y);
            case "*": return checked(x * y);
            case "**": return Power(x, y);
        }

        // C# throws for the smallest number over -1, and cuts towards zero where Python rounds down.
        if (y == -1) return op == "%" ? 0 : checked(-x);
        var remainder = x % y;
        var below = remainder != 0 && (remainder < 0) != (y < 0);
        return op == "%" ? (below ? remainder + y : remainder) : x / y - (below ? 1 : 0);
    }

    private static long Power(long x, long y)
    {
        if (x is 0 or 1) return y == 0 ? 1 : x;
        if (x == -1) return y % 2 == 0 ? 1 : -1;
        long power = 1;
        for (; y > 0; y--) power = checked(power * x);   // at most 63 times
        return power;
    }
}

/// <summary>"a &lt; b &lt;= c": each value is computed once, up to the first comparison that fails.</summary>
internal sealed class CompareExpression(int line, TemplateExpression first, List<(string Op, TemplateExpression Value)> links) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var left = first.Evaluate(run);
        foreach (var (op, value) in links)
        {
            var right = value.Evaluate(run);
            if (!BinaryExpression.Holds(op, left, right, run, Line)) return false;
            left = right;
        }

        return true;
    }
}
