namespace MambaRT.Chat;

/// <summary>"value is name" and "value is not name".</summary>
internal sealed class TestExpression(int line, string name, bool negated, TemplateExpression operand, TemplateExpression? argument)
    : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var value = operand.Evaluate(run);
        return TemplateTests.Holds(name, value, argument?.Evaluate(run), run, Line) != negated;
    }
}

/// <summary>The tests that chat templates use. Source: Jinja 3.1, tests.py.</summary>
internal static class TemplateTests
{
    private static readonly string[] Names =
    [
        "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false",
        "odd", "even", "callable", "escaped", "upper", "lower", "filter", "test",
        "equalto", "eq", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt", "greaterthan", ">", "ge", ">=", "in", "sameas", "divisibleby",
    ];

    /// <summary>Says whether a test of this name exists.</summary>
    public static bool Exists(string name) => Names.Contains(name);

    /// <summary>Says whether a test takes an argument.</summary>
    public static bool TakesArgument(string name) =>
        name is "equalto" or "eq" or "ne" or "lt" or "lessthan" or "le" or "gt" or "greaterthan" or "ge" or "in" or "sameas" or "divisibleby";

    /// <summary>Applies a test.</summary>
    /// <exception cref="FormatException">There is none of this name, or it does not take the value.</exception>
    public static bool Holds(string name, object? value, object? argument, TemplateRun run, int line) => name switch
    {
        "defined" => value is not TemplateUndefined,
        "undefined" => value is TemplateUndefined,
        "none" => value is null,
        "string" => value is string,
        "mapping" => value is OrderedDictionary<string, object?>,
        "iterable" or "sequence" => value is string or List<object?> or OrderedDictionary<string, object?> or TemplateUndefined,
        "number" => value is long or double or bool,
        "integer" => value is long,
        "float" => value is double,
        "boolean" => value is bool,
        "true" => value is true,
        "false" => value is false,
        "odd" => Remainder(name, value, 2L, line) == 1,
        "even" => Remainder(name, value, 2L, line) == 0,
        "divisibleby" => Remainder(name, value, argument, line) == 0,
        "callable" => value is TemplateMacro or TemplateFunction or TemplateLoop or TemplateJoiner,
        "escaped" => false,   // no text is
        "upper" => value is string s && TemplateCase.IsCased(s, upper: true, run, line),
        "lower" => value is string s && TemplateCase.IsCased(s, upper: false, run, line),
        "filter" => value is string s && TemplateFilters.Exists(run.Plain(s, line)),
        "test" => value is string s && Exists(run.Plain(s, line)),
        "lt" or "lessthan" or "<" => TemplateValues.Compare(value, argument, run, line) < 0,
        "le" or "<=" => TemplateValues.Compare(value, argument, run, line) <= 0,
        "gt" or "greaterthan" or ">" => TemplateValues.Compare(value, argument, run, line) > 0,
        "ge" or ">=" => TemplateValues.Compare(value, argument, run, line) >= 0,
        "in" => BinaryExpression.Contains(argument, value, run, line),
        "ne" or "!=" => !TemplateValues.AreEqual(value, argument, run, line),
        "equalto" or "eq" or "==" or "sameas" => TemplateValues.AreEqual(value, argument, run, line),
        _ => throw TemplateToken.Error(line, $"the test '{name}' is unknown."),
    };

    private static long Remainder(string name, object? value, object? divisor, int line)
    {
        if (value is not long n || divisor is not long by)
            throw TemplateToken.Error(line, $"the test '{name}' needs integers; found {TemplateValues.TypeName(value)}.");
        if (by == 0) throw TemplateToken.Error(line, "division by zero.");
        return by == -1 ? 0 : Math.Abs(n % by);
    }
}
