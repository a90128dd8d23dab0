using System.Text;

namespace MambaRT.Runtime;

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

/// <summary>"set": assigns a variable or an attribute of a namespace; without a value, the text of the body.</summary>
internal sealed class SetStatement(int line, string name, string? attribute, TemplateExpression? value, List<TemplateStatement> body)
    : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        var result = value is null ? Capture(run) : value.Evaluate(run);
        if (attribute is null)
        {
            run.Set(name, result);
            return TemplateFlow.Next;
        }

        if (run.Get(name) is not TemplateNamespace space)
            throw TemplateToken.Error(Line, $"'{name}' is no namespace, so '{name}.{attribute}' cannot be set; make it with namespace().");
        space.Attributes[attribute] = result;
        return TemplateFlow.Next;
    }

    private string Capture(TemplateRun run)
    {
        var outer = run.Output;
        run.Output = new StringBuilder();
        Execute(body, run, Line);
        var text = run.Output.ToString();
        run.Output = outer;
        return text;
    }
}

/// <summary>"for", with its filter and the "else" for no items.</summary>
internal sealed class ForStatement(
    int line, List<string> targets, TemplateExpression source, TemplateExpression? filter,
    List<TemplateStatement> body, List<TemplateStatement> otherwise) : TemplateStatement(line)
{
    /// <inheritdoc/>
    public override TemplateFlow Execute(TemplateRun run)
    {
        var items = Filtered(TemplateValues.Items(source.Evaluate(run), run, Line), run);
        if (items.Count == 0) return Execute(otherwise, run, Line);

        var loop = new TemplateLoop(items);
        for (var i = 0; i < items.Count; i++)
        {
            run.Push();
            loop.Index = i;
            run.Set("loop", loop);
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
        foreach (var item in items)
        {
            run.Push();
            Assign(item, run);
            if (TemplateValues.Truth(filter.Evaluate(run))) kept.Add(item);
            run.Pop();
        }

        return kept;
    }

    private void Assign(object? item, TemplateRun run)
    {
        if (targets.Count == 1)
        {
            run.Set(targets[0], item);
            return;
        }

        var parts = item as List<object?>;
        if (parts is null || parts.Count != targets.Count)
        {
            var found = parts is null ? TemplateValues.TypeName(item) : $"{parts.Count} parts";
            throw TemplateToken.Error(Line, $"the loop needs items of {targets.Count} parts; found {found}.");
        }

        for (var i = 0; i < targets.Count; i++) run.Set(targets[i], parts[i]);
    }
}
