namespace MambaRT.Runtime;

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
                return map.TryGetValue(name, out var value) ? value : new TemplateUndefined(name);
            case (TemplateNamespace space, string name):
                return space.Attributes.TryGetValue(name, out var attribute) ? attribute : new TemplateUndefined(name);
            case (TemplateLoop loop, string name):
                return loop.Get(name);
            case (List<object?> or string, long index):
                var items = TemplateValues.Items(from, run, line);
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
        var items = TemplateValues.Items(from, run, Line);
        var by = Bound(step, run) ?? 1;
        if (by == 0) throw Error("the step of a slice cannot be 0.");

        var count = items.Count;
        // Backwards, -1 stands for the place before the first item.
        var (low, high) = by > 0 ? (0L, (long)count) : (-1L, count - 1L);
        var first = Clamp(Bound(start, run), by > 0 ? low : high, count, low, high);
        var end = Clamp(Bound(stop, run), by > 0 ? high : low, count, low, high);
        // A step longer than the list visits one item; the limit keeps the sum below from overflowing.
        by = Math.Clamp(by, -count - 1L, count + 1L);

        run.Charge(count, Line);
        var picked = new List<object?>();
        for (var i = first; by > 0 ? i < end : i > end; i += by) picked.Add(items[(int)i]);
        return from is string ? string.Concat(picked) : picked;
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

/// <summary>A call of a function or of a value's method.</summary>
internal sealed class CallExpression(int line, TemplateExpression callee, TemplateArguments arguments) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run)
    {
        if (callee is NameExpression function) return Function(function.Name, arguments.Evaluate(run), run);
        if (callee is MemberExpression { Key: LiteralExpression key } member && key.Evaluate(run) is string method)
        {
            var target = member.Target.Evaluate(run);
            return TemplateMethods.Call(target, method, arguments.Evaluate(run), run, Line);
        }

        throw Error("only functions and methods can be called.");
    }

    private object? Function(string name, TemplateArguments.Values values, TemplateRun run)
    {
        switch (name)
        {
            case "raise_exception":
                throw Error($"the template refuses these messages: {TemplateValues.Text(values.At(0, "message", ""), run, Line)}");
            case "range":
                return Range(values, run);
            case "namespace":
                var space = new TemplateNamespace();
                foreach (var (key, value) in values.Named) space.Attributes[key] = value;
                return space;
            case "dict":
                var map = new OrderedDictionary<string, object?>();
                foreach (var (key, value) in values.Named) map[key] = value;
                return map;
            default:
                throw Error($"the function '{name}' is unknown; known are raise_exception, range, namespace and dict.");
        }
    }

    private List<object?> Range(TemplateArguments.Values values, TemplateRun run)
    {
        foreach (var value in values.Positional)
        {
            if (value is not long) throw Error($"range needs integers; found {TemplateValues.TypeName(value)}.");
        }

        var numbers = values.Positional.ConvertAll(value => (long)value!);
        if (numbers.Count is < 1 or > 3) throw Error($"range needs 1 to 3 integers; found {numbers.Count}.");
        var (start, stop) = numbers.Count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1]);
        var step = numbers.Count == 3 ? numbers[2] : 1;
        if (step == 0) throw Error("the step of a range cannot be 0.");

        // In 128 bits no distance overflows.
        var distance = step > 0 ? (Int128)stop - start : (Int128)start - stop;
        var width = step > 0 ? (Int128)step : -(Int128)step;
        var count = distance <= 0 ? 0 : (distance + width - 1) / width;
        run.Charge((long)Int128.Min(count, TemplateRun.MaxSteps + 1), Line);
        var list = new List<object?>((int)count);
        for (var i = 0; i < (int)count; i++) list.Add(start + i * step);
        return list;
    }
}
