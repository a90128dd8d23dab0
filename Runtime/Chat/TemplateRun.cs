namespace MambaRT.Chat;

/// <summary>
/// The state of one rendering: variables, output, and the budgets that keep a hostile template from running, nesting or growing without end.
/// One thread.
/// </summary>
/// <param name="twins">What tells contents from the template's text, or null.</param>
/// <param name="now">The time that the template may ask for.</param>
/// <param name="cancel">Ends the rendering by an exception.</param>
internal sealed class TemplateRun(TemplateTwins? twins, DateTime now, CancellationToken cancel)
{
    /// <summary>The deepest nesting of statements, expressions and values.</summary>
    public const int MaxDepth = 256;

    /// <summary>The most characters a rendering, or any text in it, may have.</summary>
    public const int MaxOutput = 16 << 20;

    /// <summary>
    /// The most steps; a step is one node evaluated, one value made or 64 characters looked at or copied. None takes longer than some
    /// hundred nanoseconds or makes more than some hundred bytes, which bounds time and memory of a rendering.
    /// </summary>
    public const int MaxSteps = 1_000_000;

    private const int CharsPerStep = 64;
    private const int ScopesPerStep = 8;

    private long _steps;
    private int _depth;

    /// <summary>Where text goes; a block whose text is gathered swaps it.</summary>
    public TemplateWriter Output { get; private set; } = new();

    /// <summary>The innermost variables.</summary>
    public TemplateScope Scope { get; set; } = new(null);

    /// <summary>The time that the template may ask for.</summary>
    public DateTime Now => now;

    /// <summary>Counts a level of nesting and a step.</summary>
    public void Enter(int line)
    {
        Charge(1, line);
        if (++_depth > MaxDepth) throw TemplateToken.Error(line, $"it nests deeper than {MaxDepth} levels.");
    }

    /// <summary>Leaves a level of nesting.</summary>
    public void Leave() => _depth--;

    /// <summary>Counts steps before they are taken.</summary>
    public void Charge(long steps, int line)
    {
        cancel.ThrowIfCancellationRequested();
        if (steps > MaxSteps - _steps)
            throw TemplateToken.Error(line, $"it needs more than {MaxSteps} steps; shorten the conversation or use another template.");
        _steps += steps;
    }

    /// <summary>Counts characters that are looked at.</summary>
    public void Touch(long characters, int line) => Charge(1 + characters / CharsPerStep, line);

    /// <summary>Counts a text before it is made.</summary>
    public void ChargeText(long length, int line)
    {
        if (length > MaxOutput) throw TemplateToken.Error(line, $"it makes a text of more than {MaxOutput} characters.");
        Touch(length, line);
    }

    /// <summary>Appends text to the output.</summary>
    public void Write(string text, int line) => Output.Append(text, this, line);

    /// <summary>Executes statements and returns their text in place of writing it.</summary>
    public string Capture(List<TemplateStatement> body, int line) => Capture(() => TemplateStatement.Execute(body, this, line), line);

    /// <summary>Does work and returns the text that it would have written.</summary>
    public string Capture(Func<TemplateFlow> work, int line)
    {
        TemplateWriter outer = Output;
        Output = new TemplateWriter();
        work();
        string text = Output.ToText(this, line);
        Output = outer;
        return text;
    }

    /// <summary>Opens a scope; assignments in it end with it.</summary>
    public void Push(int line)
    {
        Charge(2, line);
        Scope = new TemplateScope(Scope);
    }

    /// <summary>Closes the innermost scope.</summary>
    public void Pop() => Scope = Scope.Parent ?? throw new InvalidOperationException("No scope is open.");

    /// <summary>Assigns a variable in the innermost scope.</summary>
    public void Set(string name, object? value, int line)
    {
        Touch(name.Length, line);
        Scope.Set(name, value);
    }

    /// <summary>Finds a variable, innermost scope first, then a function of that name.</summary>
    public object? Get(string name, int line)
    {
        int scopes = 0;
        for (TemplateScope? scope = Scope; scope is not null; scope = scope.Parent, scopes++)
        {
            if (scope.TryGet(name, out object? value))
            {
                Charge((1L + name.Length / CharsPerStep) * scopes / ScopesPerStep, line);
                return value;
            }
        }
        Charge((1L + name.Length / CharsPerStep) * scopes / ScopesPerStep, line);
        return TemplateFunctions.Exists(name) ? new TemplateFunction(name) : new TemplateUndefined(name);
    }

    /// <summary>A text as conditions and searches see it: contents without their marks, of the same length.</summary>
    public string Plain(string text, int line)
    {
        if (twins is null) return text;
        Touch(text.Length, line);
        return twins.Plain(text);
    }

    /// <summary>Marks those characters of a changed text that were marked in the original of the same length.</summary>
    public string Like(string original, string changed, int line)
    {
        if (twins is null) return changed;
        Touch(original.Length, line);
        return twins.Like(original, changed);
    }
}
