namespace MambaRT.Chat;

/// <summary>"value.name" and "value[key]".</summary>
internal sealed class MemberExpression(int line, TemplateExpression target, TemplateExpression key) : TemplateExpression(line)
{
    /// <summary>What is looked into.</summary>
    public TemplateExpression Target => target;

    /// <summary>What is looked for.</summary>
    public TemplateExpression Key => key;

    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var from = target.Evaluate(run);
        return Get(from, key.Evaluate(run), run, Line);
    }

    /// <summary>Looks a key up; what is missing is undefined.</summary>
    public static object? Get(object? from, object? key, TemplateRun run, int line)
    {
        switch (from, key)
        {
            case (TemplateUndefined, _):
                throw TemplateToken.Error(line, $"cannot look into {TemplateValues.TypeName(from)}.");
            case (OrderedDictionary<string, object?> map, string name):
                return TemplateValues.Find(map, name, run, line, out var value) ? value : new TemplateUndefined(run.Plain(name, line));
            case (TemplateNamespace space, string name):
                run.Touch(name.Length, line);
                return space.Attributes.TryGetValue(name, out var attribute) ? attribute : new TemplateUndefined(name);
            case (TemplateLoop loop, string name):
                return loop.Get(name);
            case (TemplateCycler cycler, "current"):
                return cycler.Current;
            case (TemplateGroup group, string name):
                return group.Get(name);
            case (string text, long place):
                return TemplateStrings.At(text, place, run, line) ?? (object)new TemplateUndefined($"item {place}");
            case (List<object?> items, long index):
                if (index < 0) index += items.Count;
                return index >= 0 && index < items.Count ? items[(int)index] : new TemplateUndefined($"item {index}");
            default:
                return new TemplateUndefined(key as string ?? "item");
        }
    }
}

/// <summary>"value[start:stop:step]" with the rules of Python.</summary>
internal sealed class SliceExpression(
    int line, TemplateExpression target, TemplateExpression? start, TemplateExpression? stop, TemplateExpression? step)
    : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        var from = target.Evaluate(run);
        if (from is not (string or List<object?>))
            throw Error($"cannot slice {TemplateValues.TypeName(from)}; a list or a string is needed.");
        if (from is string text && step is null) run.Touch(text.Length, Line);
        var whole = from is string simple && step is null && !TemplateStrings.HasPairs(simple) ? simple : null;
        IReadOnlyList<object?> items = whole is null ? TemplateValues.Items(from, run, Line) : [];
        var by = Bound(step, run) ?? 1;
        if (by == 0) throw Error("the step of a slice cannot be 0.");

        var count = whole?.Length ?? items.Count;
        // Backwards, -1 stands for the place before the first item.
        var (low, high) = by > 0 ? (0L, (long)count) : (-1L, count - 1L);
        var first = Clamp(Bound(start, run), by > 0 ? low : high, count, low, high);
        var end = Clamp(Bound(stop, run), by > 0 ? high : low, count, low, high);
        // A step longer than the list visits one item; the limit keeps the sum below from overflowing.
        by = Math.Clamp(by, -count - 1L, count + 1L);

        if (whole is not null)
        {
            if (end <= first) return "";
            run.ChargeText(end - first, Line);
            return whole[(int)first..(int)end];
        }

        run.Charge(count, Line);
        List<object?> picked = from is TemplateTuple ? new TemplateTuple([]) : [];
        for (var i = first; by > 0 ? i < end : i > end; i += by) picked.Add(items[(int)i]);
        return from is string ? TemplateStrings.Concat(picked) : picked;
    }

    private static long Clamp(long? bound, long missing, int count, long low, long high)
    {
        if (bound is not { } value) return missing;
        return Math.Clamp(value < 0 ? value + count : value, low, high);
    }

    private long? Bound(TemplateExpression? bound, TemplateRun run) => bound?.Evaluate(run) switch
    {
        null => null,
        long n => n,
        var other => throw Error($"the bound of a slice must be an integer; found {TemplateValues.TypeName(other)}."),
    };
}

/// <summary>A filter: "value | name(arguments)".</summary>
internal sealed class FilterExpression(int line, string name, TemplateExpression operand, TemplateArguments arguments) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run) =>
        TemplateFilters.Apply(name, operand.Evaluate(run), arguments.Evaluate(run), run, Line);
}

/// <summary>A call of a function, a macro or a value's method.</summary>
internal sealed class CallExpression(int line, TemplateExpression callee, TemplateArguments arguments) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run) => Invoke(run, null);

    /// <summary>Calls with a block that the macro may call back, or null.</summary>
    public object? Invoke(TemplateRun run, TemplateMacro? caller)
    {
        if (callee is MemberExpression { Key: LiteralExpression key } member && key.Evaluate(run) is string method)
        {
            var target = member.Target.Evaluate(run);
            if (target is not TemplateNamespace) return TemplateMethods.Call(target, method, arguments.Evaluate(run), run, Line);
            return Call(MemberExpression.Get(target, method, run, Line), run, caller);
        }

        return Call(callee.Evaluate(run), run, caller);
    }

    private object? Call(object? function, TemplateRun run, TemplateMacro? caller)
    {
        var values = arguments.Evaluate(run);
        return function switch
        {
            TemplateMacro macro => macro.Call(values, caller, run, Line),
            TemplateLoop loop => loop.Recurse(values, run, Line),
            TemplateJoiner joiner => joiner.Call(),
            TemplateFunction known => TemplateFunctions.Call(known.Name, values, run, Line),
            TemplateUndefined missing => TemplateFunctions.Call(missing.Name, values, run, Line),
            _ => throw Error($"{TemplateValues.TypeName(function)} cannot be called."),
        };
    }
}
