namespace MambaRT.Chat;

/// <summary>How a statement ended.</summary>
internal enum TemplateFlow
{
    /// <summary>Go on with the next.</summary>
    Next,

    /// <summary>Leave the loop.</summary>
    Break,

    /// <summary>Go on with the loop's next item.</summary>
    Continue,
}

/// <summary>A part of a template.</summary>
/// <param name="line">The line it stands on.</param>
internal abstract class TemplateStatement(int line)
{
    /// <summary>The line it stands on, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>Writes and assigns, within the budgets of the rendering.</summary>
    public abstract TemplateFlow Execute(TemplateRun run);

    /// <summary>Executes statements in order until one leaves a loop.</summary>
    public static TemplateFlow Execute(List<TemplateStatement> body, TemplateRun run, int line)
    {
        run.Enter(line);
        var flow = TemplateFlow.Next;
        foreach (var statement in body)
        {
            run.Charge(1, statement.Line);
            flow = statement.Execute(run);
            if (flow != TemplateFlow.Next) break;
        }

        run.Leave();
        return flow;
    }
}

/// <summary>Text outside tags.</summary>
internal sealed class TextStatement(int line, string text) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        run.Write(text, Line);
        return TemplateFlow.Next;
    }
}

/// <summary>An expression whose value is written.</summary>
internal sealed class OutputStatement(int line, TemplateExpression value) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        run.Write(TemplateValues.Text(value.Evaluate(run), run, Line), Line);
        return TemplateFlow.Next;
    }
}

/// <summary>"break" and "continue".</summary>
internal sealed class JumpStatement(int line, TemplateFlow flow) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run) => flow;
}

/// <summary>"if", its "elif" branches, and an "else" whose condition is null.</summary>
internal sealed class IfStatement(int line, List<(TemplateExpression? Condition, List<TemplateStatement> Body)> branches)
    : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        foreach (var (condition, body) in branches)
        {
            if (condition is null || TemplateValues.Truth(condition.Evaluate(run))) return Execute(body, run, Line);
        }

        return TemplateFlow.Next;
    }
}

/// <summary>Statements that a tag only marks, such as the spans that training would learn.</summary>
internal sealed class GroupStatement(int line, List<TemplateStatement> body) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run) => Execute(body, run, Line);
}

/// <summary>"set": assigns variables or attributes of namespaces; several take the items of a list.</summary>
internal sealed class SetStatement(int line, List<(string Name, string? Attribute)> targets, TemplateExpression value) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        var result = value.Evaluate(run);
        if (targets.Count == 1)
        {
            Assign(targets[0].Name, targets[0].Attribute, result, run);
            return TemplateFlow.Next;
        }

        var parts = TemplateValues.Parts(result, targets.Count, run, Line);
        for (var i = 0; i < parts.Count; i++) Assign(targets[i].Name, targets[i].Attribute, parts[i], run);
        return TemplateFlow.Next;
    }

    private void Assign(string name, string? attribute, object? result, TemplateRun run)
    {
        if (attribute is null)
        {
            run.Set(name, result, Line);
            return;
        }

        if (run.Get(name, Line) is not TemplateNamespace space)
            throw TemplateToken.Error(Line, $"'{name}' is no namespace, so '{name}.{attribute}' cannot be set; make it with namespace().");
        run.Touch(attribute.Length, Line);
        space.Attributes[attribute] = result;
    }
}

/// <summary>"for", with its filter and the "else" for no items.</summary>
internal sealed class ForStatement(
    int line, List<string> targets, TemplateExpression source, TemplateExpression? filter,
    List<TemplateStatement> body, List<TemplateStatement> otherwise, bool recursive) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        TemplateScope scope = run.Scope;
        return Loop(source.Evaluate(run), 0, recursive ? Again : null, run);

        // As a macro, it sees the variables of where the loop stands and not those of where it is called.
        string Again(object? value, int depth)
        {
            TemplateScope outer = run.Scope;
            run.Scope = scope;
            run.Push(Line);
            string text = run.Capture(() => Loop(value, depth, Again, run), Line);
            run.Scope = outer;
            return text;
        }
    }

    private TemplateFlow Loop(object? value, int depth, Func<object?, int, string>? again, TemplateRun run)
    {
        var items = Filtered(TemplateValues.Items(value, run, Line), run);
        if (items.Count == 0) return Execute(otherwise, run, Line);

        var loop = new TemplateLoop(items, depth, again);
        for (var i = 0; i < items.Count; i++)
        {
            run.Push(Line);
            loop.Index = i;
            run.Set("loop", loop, Line);
            Assign(items[i], run);
            var flow = Execute(body, run, Line);
            run.Pop();
            if (flow == TemplateFlow.Break) break;
        }

        return TemplateFlow.Next;
    }

    private IReadOnlyList<object?> Filtered(IReadOnlyList<object?> items, TemplateRun run)
    {
        if (filter is null) return items;
        var kept = new List<object?>();
        // By index: the condition may append to the list.
        for (var i = 0; i < items.Count; i++)
        {
            run.Push(Line);
            Assign(items[i], run);
            if (TemplateValues.Truth(filter.Evaluate(run))) kept.Add(items[i]);
            run.Pop();
        }

        return kept;
    }

    private void Assign(object? item, TemplateRun run)
    {
        if (targets.Count == 1)
        {
            run.Set(targets[0], item, Line);
            return;
        }

        var parts = TemplateValues.Parts(item, targets.Count, run, Line);
        for (var i = 0; i < parts.Count; i++) run.Set(targets[i], parts[i], Line);
    }
}
