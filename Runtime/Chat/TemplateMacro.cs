namespace MambaRT.Chat;

/// <summary>A function that every template may call, as a value.</summary>
/// <param name="Name">Its name.</param>
internal sealed record TemplateFunction(string Name);

/// <summary>The parameters of a macro or of a call block: names, and values for what a call leaves out.</summary>
/// <param name="Names">The names in order.</param>
/// <param name="Defaults">Their defaults, null where there is none.</param>
internal sealed record TemplateParameters(List<string> Names, List<TemplateExpression?> Defaults);

/// <summary>A macro as a value: a body that a call renders to text, with the variables that were visible where it was defined.</summary>
internal sealed class TemplateMacro(string name, TemplateParameters parameters, List<TemplateStatement> body, TemplateScope scope)
{
    /// <summary>Renders the body.</summary>
    public string Call(TemplateArguments.Values arguments, TemplateMacro? caller, TemplateRun run, int line)
    {
        run.Enter(line);
        TemplateScope outer = run.Scope;
        run.Scope = scope;
        run.Push(line);
        Assign(arguments, run, line);
        if (caller is not null) run.Set("caller", caller, line);
        string text = run.Capture(body, line);
        run.Scope = outer;
        run.Leave();
        return text;
    }

    private void Assign(TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        List<string> names = parameters.Names;
        run.Charge(names.Count * (1L + arguments.Named.Count) + arguments.Named.Count, line);
        var rest = new OrderedDictionary<string, object?>();
        foreach ((string key, object? value) in arguments.Named)
        {
            if (!names.Contains(key)) rest[key] = value;
        }
        run.Set("kwargs", rest, line);
        run.Set("varargs", new TemplateTuple(arguments.Positional.Skip(names.Count)), line);
        for (int i = 0; i < names.Count; i++)
        {
            object? value = i < arguments.Positional.Count ? arguments.Positional[i] : Named(arguments, names[i], out bool found) is var given && found ? given
                : parameters.Defaults[i] is { } missing ? missing.Evaluate(run) : new TemplateUndefined($"the parameter {names[i]} of {name}");
            run.Set(names[i], value, line);
        }
    }

    private static object? Named(TemplateArguments.Values arguments, string name, out bool found)
    {
        foreach ((string key, object? value) in arguments.Named)
        {
            if (key != name) continue;
            found = true;
            return value;
        }
        found = false;
        return null;
    }
}

/// <summary>"macro": defines one as a variable.</summary>
internal sealed class MacroStatement(int line, string name, TemplateParameters parameters, List<TemplateStatement> body) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        run.Set(name, new TemplateMacro(name, parameters, body, run.Scope), Line);
        return TemplateFlow.Next;
    }
}

/// <summary>"call": calls a macro that may call the body back as "caller".</summary>
internal sealed class CallStatement(int line, CallExpression call, TemplateParameters parameters, List<TemplateStatement> body) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        object? value = call.Invoke(run, new TemplateMacro("caller", parameters, body, run.Scope));
        run.Write(TemplateValues.Text(value, run, Line), Line);
        return TemplateFlow.Next;
    }
}

/// <summary>The text of a body as a value: what "filter" and "set" without a value work on.</summary>
internal sealed class BodyExpression(int line, List<TemplateStatement> body) : TemplateExpression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(TemplateRun run) => run.Capture(body, Line);
}

/// <summary>"do": computes a value for what that changes.</summary>
internal sealed class DoStatement(int line, TemplateExpression value) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        value.Evaluate(run);
        return TemplateFlow.Next;
    }
}

/// <summary>"with": a scope of its own.</summary>
internal sealed class WithStatement(int line, List<(string Name, TemplateExpression Value)> variables, List<TemplateStatement> body) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        var values = new List<object?>(variables.Count);
        foreach (var (_, value) in variables) values.Add(value.Evaluate(run));
        run.Push(Line);
        for (int i = 0; i < values.Count; i++) run.Set(variables[i].Name, values[i], Line);
        TemplateFlow flow = Execute(body, run, Line);
        run.Pop();
        return flow;
    }
}

/// <summary>"autoescape": chat templates write plain text, so it may only say so.</summary>
internal sealed class AutoescapeStatement(int line, TemplateExpression escapes, List<TemplateStatement> body) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        if (TemplateValues.Truth(escapes.Evaluate(run))) throw TemplateToken.Error(Line, "the statement 'autoescape' is supported with false only.");
        run.Push(Line);
        TemplateFlow flow = Execute(body, run, Line);
        run.Pop();
        return flow;
    }
}

/// <summary>A statement that is not supported: an error for the template that gets there.</summary>
internal sealed class UnknownStatement(int line, string name) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run) => throw TemplateToken.Error(Line, $"the statement '{name}' is not supported.");
}
