namespace MambaRT.Chat;

/// <summary>The value of <c>loop</c> inside a for statement.</summary>
/// <param name="items">All the items of the loop.</param>
/// <param name="depth">How many loops of the same statement are around this one.</param>
/// <param name="again">Renders the statement's body for other items, one level deeper; null where it is not recursive.</param>
internal sealed class TemplateLoop(IReadOnlyList<object?> items, int depth, Func<object?, int, string>? again)
{
    private List<object?>? _seen;   // by "changed"

    /// <summary>The position of the present item, from 0.</summary>
    public int Index { get; set; }

    /// <summary>Returns an attribute of the loop.</summary>
    public object? Get(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)items.Count - Index,
        "revindex0" => items.Count - 1L - Index,
        "first" => Index == 0,
        "last" => Index == items.Count - 1,
        "length" => (long)items.Count,
        "depth" => depth + 1L,
        "depth0" => (long)depth,
        "previtem" when Index > 0 => items[Index - 1],
        "nextitem" when Index + 1 < items.Count => items[Index + 1],
        _ => new TemplateUndefined("loop." + name),
    };

    /// <summary>Calls a method of the loop: one of the values in turn, or whether values differ from those of the call before.</summary>
    public object? Call(string name, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        List<object?> values = arguments.Positional;
        switch (name)
        {
            case "cycle":
                return values.Count > 0 ? values[Index % values.Count] : throw TemplateToken.Error(line, "loop.cycle needs values to choose from.");
            case "changed":
                bool same = _seen is not null && TemplateValues.AreEqual(_seen, values, run, line);
                _seen = values;
                return !same;
            default:
                throw TemplateToken.Error(line, $"the loop has no method '{name}' here.");
        }
    }

    /// <summary>Renders the loop for other items: "loop(children)".</summary>
    public string Recurse(TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        if (again is null) throw TemplateToken.Error(line, "the loop is called, which needs 'recursive' at the end of its 'for'.");
        run.Enter(line);
        string text = again(arguments.At(0, "iterable", new TemplateUndefined("the items of the loop")), depth + 1);
        run.Leave();
        return text;
    }
}

/// <summary>The value of <c>cycler(...)</c>: items in turn, for ever.</summary>
/// <param name="items">At least one.</param>
internal sealed class TemplateCycler(List<object?> items)
{
    private int _at;

    /// <summary>The present item.</summary>
    public object? Current => items[_at];

    /// <summary>Calls a method: the present item, moving on; or back to the first.</summary>
    public object? Call(string name, int line)
    {
        object? current = Current;
        _at = name switch
        {
            "next" => (_at + 1) % items.Count,
            "reset" => 0,
            _ => throw TemplateToken.Error(line, $"the cycler has no method '{name}' here."),
        };
        return name == "next" ? current : null;
    }
}

/// <summary>The value of <c>joiner(...)</c>: nothing when called first, the separator from then on.</summary>
/// <param name="separator">The separator.</param>
internal sealed class TemplateJoiner(string separator)
{
    private bool _called;

    /// <summary>What stands before the next part.</summary>
    public string Call()
    {
        string text = _called ? separator : "";
        _called = true;
        return text;
    }
}
