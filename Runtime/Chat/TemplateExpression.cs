namespace MambaRT.Chat;

/// <summary>A part of an expression.</summary>
/// <param name="line">The line it stands on.</param>
internal abstract class TemplateExpression(int line)
{
    /// <summary>The line it stands on, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>Computes the value, within the budgets of the rendering.</summary>
    public object? Evaluate(TemplateRun run)
    {
        run.Enter(Line);
        var value = Compute(run);
        run.Leave();
        return value;
    }

    /// <summary>Computes the value.</summary>
    protected abstract object? Compute(TemplateRun run);

    /// <summary>Makes an error for this place.</summary>
    protected FormatException Error(string message) => TemplateToken.Error(Line, message);
}

/// <summary>A constant.</summary>
internal sealed class LiteralExpression(int line, object? value) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run) => value;
}

/// <summary>A variable.</summary>
internal sealed class NameExpression(int line, string name) : TemplateExpression(line)
{
    /// <summary>The variable's name.</summary>
    public string Name => name;

    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run) => run.Get(name, Line);
}

/// <summary>A list or tuple.</summary>
internal sealed class ListExpression(int line, List<TemplateExpression> items, bool isTuple) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        List<object?> list = isTuple ? new TemplateTuple([]) : [];
        foreach (var item in items) list.Add(item.Evaluate(run));
        return list;
    }
}

/// <summary>A mapping with keys that are strings.</summary>
internal sealed class MapExpression(int line, List<(TemplateExpression Key, TemplateExpression Value)> items) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var map = new OrderedDictionary<string, object?>();
        foreach (var (key, value) in items)
        {
            var name = key.Evaluate(run);
            if (name is not string text)
                throw Error($"the key of a mapping must be a string; found {TemplateValues.TypeName(name)}.");
            run.Touch(text.Length, Line);
            map[text] = value.Evaluate(run);
        }

        return map;
    }
}

/// <summary>"a if c else b"; without an else the value is undefined.</summary>
internal sealed class ConditionalExpression(int line, TemplateExpression condition, TemplateExpression yes, TemplateExpression? no)
    : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        if (TemplateValues.Truth(condition.Evaluate(run))) return yes.Evaluate(run);
        return no is null ? new TemplateUndefined("inline if without else") : no.Evaluate(run);
    }
}

/// <summary>"and" and "or": the operand that decides is the value.</summary>
internal sealed class LogicExpression(int line, bool isAnd, TemplateExpression left, TemplateExpression right) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var value = left.Evaluate(run);
        return TemplateValues.Truth(value) == isAnd ? right.Evaluate(run) : value;
    }
}

/// <summary>"not", and the signs of numbers.</summary>
internal sealed class UnaryExpression(int line, string op, TemplateExpression operand) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var value = operand.Evaluate(run);
        return (op, value) switch
        {
            ("not", _) => !TemplateValues.Truth(value),
            ("+", long or double) => value,
            ("-", long n) => unchecked(-n),
            ("-", double d) => -d,
            _ => throw Error($"the sign '{op}' needs a number; found {TemplateValues.TypeName(value)}."),
        };
    }
}
